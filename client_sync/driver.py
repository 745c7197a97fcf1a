"""The only loop of the daemon: takes an event, lets the core decide, carries it out, arms one timer."""

import asyncio
import logging
from collections.abc import Callable

from client_sync.cache import Documents, RefusedDocumentError
from client_sync.core import next_deadline, step
from client_sync.layout import Layout, Prober
from client_sync.state import (
    Answered,
    Configure,
    Effect,
    Event,
    Held,
    Probe,
    Received,
    Recreate,
    Redirect,
    Settings,
    State,
    Tick,
    workers,
)
from client_sync.traffic import Packets, Traffic
from wgfleet.dump import DumpError
from wgfleet.logs import say
from wgfleet.peerset import PeerSet
from wgfleet.wg import WgError

log = logging.getLogger(__name__)
BUSY_SECONDS, IDLE_SECONDS = 0.1, 0.3
"""Between two looks at the interface's counters, while something is sent and while nothing is."""
RETRY_SECONDS = 1.0
"""After the device refused a change, look at it again after this."""


class Driver:
    """Holds the state; lives on one event loop."""

    def __init__(
        self,
        *,
        settings: Settings,
        interface: Layout,
        documents: Documents,
        prober: Prober,
        packets: Callable[[], Packets | None],
        clock: Callable[[], float],
        changed: Callable[[State], None],
    ) -> None:
        """Begin knowing nothing.

        `packets` reads the interface's counters; `changed` is told of every new state worth telling.
        """
        self.state = State()
        self._settings = settings
        self._interface = interface
        self._documents = documents
        self._prober = prober
        self._clock = clock
        self._changed = changed
        self._timer: asyncio.TimerHandle | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._counting: asyncio.TimerHandle | None = None
        self._traffic = Traffic(packets)
        self._looked = False

    @property
    def connections_left(self) -> dict[str, int | None]:
        """How many connections each worker that is being left still carries; None: that is not known."""
        return dict(self._interface.connections_left)

    def start(self, kept: PeerSet | None) -> None:
        """Take up what the device holds and what the last run kept: no network is needed for it."""
        if self._counting is None:
            self._count()
        if kept is not None:
            self.state = State(peer_set=kept)
            self._look()

    def document(self, document: bytes) -> None:
        """Take a document that arrived. One that must not be used is reported, and changes nothing."""
        try:
            peer_set = self._documents.take(document)
        except RefusedDocumentError as error:
            say(log, "document refused", level=logging.ERROR, error=error)
            return
        if peer_set is None:
            return
        epoch, generation = peer_set.number
        say(log, "received", epoch=epoch, generation=generation, monitoring=peer_set.monitoring)
        if self._looked:
            self.take(Received(peer_set))
        else:  # While it is not known who carries the traffic, to configure would be to take the path away.
            self.start(peer_set)
            self._changed(self.state)  # Also where it moves nobody.
        try:
            # After it is applied: a slow disk must not hold up a failover, nor a full one.
            self._documents.keep()
        except OSError as error:
            say(log, "document not kept", level=logging.ERROR, error=error)

    def take(self, event: Event) -> None:
        """Decide on an event and carry it out."""
        before = self.state
        now = self._clock()
        self.state, effects = step(before, event, now=now, settings=self._settings)
        for effect in effects:
            try:
                self._carry_out(effect, before)
            except (WgError, DumpError, OSError) as error:
                say(log, "not applied", level=logging.ERROR, error=error)
                self._look_later()
        if _told(self.state) != _told(before):
            self._changed(self.state)
        self._arm()

    def again(self) -> None:
        """Bring the device up to date once more: what a name stands for may be known only now."""
        if self.state.peer_set is not None:
            self._look()

    def close(self) -> None:
        """Stop. The interface stays as it is: traffic goes on without us."""
        for timer in (self._timer, self._retry, self._counting):
            if timer is not None:
                timer.cancel()

    def _carry_out(self, effect: Effect, before: State) -> None:
        match effect:
            case Configure(active, reason):
                self._interface.configure(workers(self.state), active, _silent(self.state))
                if reason is not None:
                    number = self.state.peer_set.number if self.state.peer_set else (0, 0)
                    say(log, "moved", level=logging.WARNING, worker=active, before=before.active, reason=reason,
                        epoch=number[0], generation=number[1])  # fmt: skip
            case Recreate(name):
                say(log, "standby silent, session made anew", worker=name)
                self._interface.recreate(workers(self.state)[name])
            case Redirect(name):
                say(log, "active silent, looked for at its next endpoint", worker=name)
                self._interface.redirect(workers(self.state)[name])
            case Probe(name, asked_at):
                self._probe(name, asked_at)

    def _probe(self, name: str, asked_at: float) -> None:
        def heard() -> None:
            self._traffic.answered()
            self.take(Answered(name, asked_at))

        addresses = workers(self.state)[name].tunnel_addresses  # Without one, it is as silent as a dead one.
        if addresses and self._prober.ask(addresses[0], heard):
            self._traffic.probed()

    def _count(self) -> None:
        counted = self._traffic.look()
        # Most looks say nothing new, and ten in a second are to cost nothing.
        doubted = self.state.doubted_at is not None or self.state.groundless > 0
        if counted is not None and (counted.received if doubted else counted.sent and not counted.received):
            self.take(counted)
        busy = counted is not None and counted.sent
        ring = asyncio.get_running_loop().call_later
        self._counting = ring(BUSY_SECONDS if busy else IDLE_SECONDS, self._count)

    def _look(self) -> None:
        """See who carries the traffic, so that nothing moves without a reason; then bring the device up to date."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        try:
            holder = self._interface.holder(workers(self.state))
        except (WgError, DumpError) as error:
            say(log, "interface not readable", level=logging.ERROR, error=error)
            self._look_later()
            return
        self._looked = True
        self.take(Held(holder))
        if self.state.peer_set is not None:
            self.take(Received(self.state.peer_set))

    def _look_later(self) -> None:
        if self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(RETRY_SECONDS, self._look)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        now = self._clock()
        deadline = next_deadline(self.state, now=now, settings=self._settings)
        if deadline is not None:
            ring = asyncio.get_running_loop().call_later
            self._timer = ring(deadline - now, lambda: self.take(Tick()))


def _silent(state: State) -> set[str]:
    """Workers that own probes find dead."""
    return {name for name, one in state.liveness.items() if one.is_silent}


def _told(state: State) -> tuple[object, ...]:
    """What the receiver, and people, are told at once when it changes."""
    number = None if state.peer_set is None else state.peer_set.number
    return number, state.active, _silent(state)
