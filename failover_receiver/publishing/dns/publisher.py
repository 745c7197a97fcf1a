"""Keeps the name as the peer set wants it: when that changes, and when somebody else changed the records."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable

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


async def resolve(host: str) -> Addresses:
    """A host's addresses by the system's resolver. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    return frozenset(str(one[4][0]).partition("%")[0] for one in found)


class DnsPublisher(Publisher):
    """Keeps one name. Endpoints that are names are looked up here: an alias can lead to one worker only."""

    name = "dns"

    def __init__(self, place: Dns, *, resolve: Resolve = resolve) -> None:
        """Read the key. Raises ConfigurationError."""
        self._place = place
        self._resolve = resolve
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
        """There is nothing to let go of; the records stay."""

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
        found = await asyncio.gather(*(self._resolve(host) for host in names), return_exceptions=True)
        for host, addresses in zip(names, found, strict=True):
            if isinstance(addresses, frozenset):
                self._known[host] = addresses
            elif not isinstance(addresses, OSError):
                raise addresses
            elif host not in self._known:
                say(log, "endpoint not found", level=logging.WARNING, host=host, error=addresses)

    def _is_own(self, host: str) -> bool:
        """The name cannot be what it leads to."""
        return host.rstrip(".").lower() == self._place.name.lower()


def _in_order(addresses: Addresses) -> list[str]:
    return of_family(addresses, 4) + of_family(addresses, 6)
