"""Holds which client list a worker has applied: takes each that comes, has it carried out, tells of it.

What takes long with ten thousand clients is done in a thread, one thing at a time; the event loop goes on meanwhile.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from client_sync.cache import ClientLists, RefusedDocumentError
from client_sync.tunnels.programs import LayoutError
from client_sync.worker.tunnel import Peers
from wgfleet.clientlist import ClientList
from wgfleet.collecting import collect_seldom
from wgfleet.dump import DumpError
from wgfleet.logs import say
from wgfleet.wg import WgError

log = logging.getLogger(__name__)

Number = tuple[int, int]


class RemovalRefusedError(RefusedDocumentError):
    """A list that would take away many clients, unexplained."""

    def __init__(self, number: Number, reason: str) -> None:
        """Say the list's number and why it is not applied."""
        super().__init__(reason)
        self.number = number


@dataclass(frozen=True, slots=True)
class Refused:
    """The list that came last and was not applied."""

    number: Number
    reason: str


class Worker:
    """Belongs to one event loop."""

    def __init__(
        self,
        lists: ClientLists,
        tunnel: Peers,
        *,
        around: Callable[[ClientList], None],
        changed: Callable[[], None],
    ) -> None:
        """Begin knowing nothing.

        `around` makes what belongs to a list beside its peers: routes, masquerading. `changed` is called whenever
        there is something new to tell.
        """
        self.tunnel = tunnel
        self.held: ClientList | None = None
        """The newest list that may be applied."""
        self.applied: Number | None = None
        self.refused: Refused | None = None
        self.error: str | None = None
        """Why the peers are not as they should be; None if they are."""
        self.error_around: str | None = None
        """Likewise of routes and masquerading."""
        self._lists = lists
        self._around = around
        self._changed = changed
        self._turn = asyncio.Lock()
        self._heard = False
        """Whether the receiver has said since the start that this list is the newest."""

    async def start(self) -> None:
        """Apply the list that the last run kept: no network is needed for it."""
        collect_seldom()
        async with self._turn:
            self.held = await asyncio.to_thread(self._lists.last_good)
            if self.held is not None:
                await self._whole()

    async def document(self, document: bytes) -> None:
        """Take a document that arrived. One that must not be used is reported, and changes nothing."""
        async with self._turn:
            before, first = self.held, not self._heard
            there = self.tunnel.ask()  # While the document is being read, which takes as long.
            try:
                taken = await asyncio.to_thread(self._lists.take, document, check=self._check)
            except RemovalRefusedError as error:
                self.refused = Refused(error.number, str(error))
                say(log, "client list refused, the old one stays", level=logging.ERROR, reason=error,
                    epoch=error.number[0], generation=error.number[1])  # fmt: skip
                self._changed()
                return
            except RefusedDocumentError as error:
                say(log, "document refused", level=logging.ERROR, error=error)
                return
            self._heard, self.refused = True, None
            if taken is not None:
                self.held = taken
                epoch, generation = taken.number
                say(log, "received", epoch=epoch, generation=generation, clients=len(taken.clients))
            if first or self.error is not None or before is None:
                await self._whole()
            elif taken is not None:
                await self._carried_out(lambda: self.tunnel.follow(before, taken, there), taken)
            else:
                self._changed()  # It is the one we have; whoever follows us anew does not know that.

    async def look(self) -> None:
        """See that the interface still is as it should be."""
        async with self._turn:
            if self.held is not None:
                await self._whole()

    def _check(self, new: ClientList) -> None:
        """Called in a thread, while it is our turn."""
        refusal = self.tunnel.refusal(self.held, new)
        if refusal is not None:
            raise RemovalRefusedError(new.number, str(refusal))

    async def _whole(self) -> None:
        held, removing = self.held, self._heard
        if held is not None:
            await self._carried_out(lambda: self.tunnel.bring_up_to_date(held, removing=removing), held)

    async def _carried_out(self, work: Callable[[], None], clients: ClientList) -> None:
        before = (self.error, self.error_around)
        try:
            await asyncio.to_thread(work)
        except (WgError, DumpError, OSError) as error:
            self.error = _said(error, self.error)
        else:
            self.error = None
            if self.applied != clients.number:
                # Before it is told: after a crash, a client of whom we said that it is gone must not come back.
                await self._keep()
                self.applied = clients.number
                epoch, generation = clients.number
                say(log, "applied", epoch=epoch, generation=generation, clients=len(clients.clients))
                self._changed()  # Before what is around it is made: a client that was revoked is gone.
            try:
                await asyncio.to_thread(self._around, clients)
            except (LayoutError, OSError) as error:
                self.error_around = _said(error, self.error_around)
            else:
                self.error_around = None
        if (self.error, self.error_around) != before:
            self._changed()

    async def _keep(self) -> None:
        if not self._heard:
            return  # It comes from there.
        try:
            await asyncio.to_thread(self._lists.keep)
        except OSError as error:
            say(log, "document not kept", level=logging.ERROR, error=error)


def _said(error: Exception, before: str | None) -> str:
    """Say it once, however often it is tried."""
    text = str(error) or type(error).__name__
    if text != before:
        say(log, "not applied", level=logging.ERROR, error=text)
    return text
