"""Keeps the name as the peer set wants it: when that changes, and when somebody else changed the records."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from failover_receiver.publishing.dns.exchange import Server
from failover_receiver.publishing.dns.place import Dns
from failover_receiver.publishing.dns.records import Addresses, among, hosts, of_family, wanted
from failover_receiver.publishing.publisher import Publisher, PublishingError
from failover_receiver.settings import ConfigurationError
from failover_receiver.store import Document
from wgfleet.logs import say
from wgfleet.peerset import PeerSet

log = logging.getLogger(__name__)

Resolve = Callable[[str], Awaitable[Addresses]]


LOOK_UP_SECONDS = 3.0
"""For all endpoints that are names. What the resolver has not said by then is as it was: nobody waits for one that is away."""
THREADS = 8


class Resolver:
    """The system's, which may take half a minute: in threads of its own, so that nothing else waits for one."""

    def __init__(self) -> None:
        """Ask nothing yet."""
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="resolve")

    async def __call__(self, host: str) -> Addresses:
        """A host's addresses. Raises OSError."""
        ask = partial(socket.getaddrinfo, host, None, type=socket.SOCK_DGRAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        return frozenset(str(one[4][0]).partition("%")[0] for one in found)

    def close(self) -> None:
        """Ask nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class DnsPublisher(Publisher):
    """Keeps one name. Endpoints that are names are looked up here: an alias can lead to one worker only."""

    name = "dns"

    def __init__(self, place: Dns, *, resolve: Resolve | None = None) -> None:
        """Read the key. Raises ConfigurationError."""
        self._place = place
        self._resolver = Resolver()
        self._resolve = resolve or self._resolver
        self._asked: dict[str, asyncio.Future[Addresses]] = {}
        """Names that are being looked up; each once, however long that takes."""
        self._known: dict[str, Addresses] = {}
        """What each endpoint's name was looked up as last: a resolver that is away changes nothing."""
        self._published: PeerSet | None = None
        self._left = False
        """Whether it was said that the records stay."""
        try:
            self._server = Server(place)
        except ValueError as error:
            raise ConfigurationError(str(error)) from None

    async def publish(self, document: Document, peer_set: PeerSet) -> None:  # noqa: ARG002 - The interface's.
        """See that the name has what it should."""
        concerned = among(peer_set, self._place.workers)
        await self._look_up(concerned)
        change = await self._difference(concerned)
        if change is not None:
            await self._server.replace(change)
            say(log, "name changed", name=self._place.name, addresses=" ".join(_in_order(change)))
        self._published = concerned

    async def lost(self) -> None:
        """Look at the records every so often; return when they are not as they should be, or cannot be looked at."""
        while True:
            await asyncio.sleep(self._place.look_interval)
            if self._published is None:
                continue
            try:
                await self._look_up(self._published)
                if await self._difference(self._published) is not None:
                    return
            except PublishingError:
                return  # The next attempt to publish says why.

    async def close(self) -> None:
        """Look nothing up any more; the records stay."""
        for asked in self._asked.values():
            asked.cancel()
        self._resolver.close()

    async def _difference(self, peer_set: PeerSet) -> Addresses | None:
        """What the records should become; None if they are right, or stay as they are."""
        seen = await self._server.present()
        present, lifetimes = (frozenset[str](), set[int]()) if seen is None else seen
        should = wanted(peer_set, present, self._known)
        if should is None:
            self._say_left(peer_set)
            return None
        self._left = False
        right = seen is not None and should == present and lifetimes <= {self._place.ttl}
        return None if right else should

    def _say_left(self, peer_set: PeerSet) -> None:
        if not self._left:
            states = " ".join(f"{worker.name}={worker.state}" for worker in peer_set.workers)
            say(log, "name left as it is", level=logging.WARNING, name=self._place.name,
                reason="no worker that it may lead to serves", workers=states or "none")  # fmt: skip
        self._left = True

    async def _look_up(self, peer_set: PeerSet) -> None:
        names = [host for host in hosts(peer_set.workers) if not self._is_own(host)]
        for host, late in list(self._asked.items()):
            if late.done():
                self._take_up(host, late)
        for host in names:
            if host not in self._asked:
                self._asked[host] = asyncio.ensure_future(self._resolve(host))
        asked = {host: self._asked[host] for host in names}
        if asked:
            await asyncio.wait(asked.values(), timeout=LOOK_UP_SECONDS)
        for host, one in asked.items():
            self._take_up(host, one)

    def _take_up(self, host: str, asked: asyncio.Future[Addresses]) -> None:
        """What was found, if it was."""
        error: object = f"no answer in {LOOK_UP_SECONDS:g} s"
        if asked.done():
            if self._asked.get(host) is asked:
                del self._asked[host]
            try:
                self._known[host] = asked.result()
            except OSError as failed:
                error = failed
        if host not in self._known:
            say(log, "endpoint not found", level=logging.WARNING, host=host, error=error)

    def _is_own(self, host: str) -> bool:
        """The name cannot be what it leads to."""
        return host.rstrip(".").lower() == self._place.name.lower()


def _in_order(addresses: Addresses) -> list[str]:
    return of_family(addresses, 4) + of_family(addresses, 6)
