"""What a follower holds and serves: documents, who may have them, and how it stands."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from failover_receiver.access import Gate, Holder
from failover_receiver.following.held import Held, RefusedError, Taken
from failover_receiver.following.metrics import FollowerMetrics
from failover_receiver.following.roster import Roster
from failover_receiver.following.source import Source
from failover_receiver.following.standing import Link
from failover_receiver.publication import Publication
from failover_receiver.store import Document
from wgfleet.logs import say
from wgfleet.signing import Verifier
from wgfleet.standing import EVENT, Standing

log = logging.getLogger(__name__)

TOKENS = b"tokens"
"""The last of what is told to who begins to follow."""


class Edge:
    """Takes in what one receiver at a time says, and goes on serving it when that one is away."""

    def __init__(
        self,
        fleet: str,
        verifier: Verifier,
        *,
        clock: Callable[[], float],
        lent: Iterable[Holder] = (),
        inner: bool = False,
    ) -> None:
        """Hold nothing, and let nobody in but who is lent a token. A process beside the one that decides is inner."""
        self._inner = inner
        self._level = logging.DEBUG if inner else logging.INFO
        self.clock = clock
        self.gate = Gate([], clock=clock, lent=lent)
        self.publication, self.client_list = Publication(), Publication()
        self.metrics = FollowerMetrics()
        self.link = Link()
        self.ready = asyncio.Event()
        """It knows who may have what."""
        self.source = Source(self.gate, (self.publication, self.client_list), lambda: self.standing)
        self._shown: Mapping[str, Publication] = {
            "peer-set": self.publication,
            "client-list": self.client_list,
        }
        self._held = {name: Held(name, verifier, fleet) for name in self._shown}

    def connected(self, receiver: str) -> "Hearing":
        """Begin to hear what this one says."""
        self._stand(self.link.connected(receiver, now=self.clock()))
        return Hearing(self)

    def lost(self) -> None:
        """Nobody is followed any more."""
        self._stand(self.link.lost(now=self.clock()))

    @property
    def standing(self) -> Standing:
        """What whoever reads here is told of it; of an inner one, what the receiver is that it belongs to."""
        standing = self.link.standing
        return replace(standing, hops=standing.hops - 1) if self._inner else standing

    @property
    def peer_set(self) -> Taken | None:
        """The newest one."""
        return self._held["peer-set"].newest

    def take(self, name: str, body: bytes) -> None:
        """Serve this document from now on, if it is newer than what is held. Raises RefusedError."""
        try:
            taken = self._held[name].take(body)
        except RefusedError:
            self.metrics.refused.labels(name).inc()
            raise
        if taken is None:
            return
        self._shown[name].show(Document(taken.type, taken.epoch, taken.generation, taken.body))
        self.metrics.show(name, taken)
        say(log, "taken", level=self._level, document=name, epoch=taken.epoch, generation=taken.generation)

    def told(self, said: Standing) -> None:
        """Take how the one that is followed stands."""
        self._stand(self.link.told(said))

    def _stand(self, link: Link) -> None:
        self.link = link
        self.metrics.live.set(self.standing.live)
        self.source.wake()


@dataclass(slots=True)
class Hearing:
    """What one connection has said so far."""

    edge: Edge
    whole: bool = False
    """It has told all that there is: documents, and who is let in."""
    _roster: Roster | None = None

    def take(self, name: bytes, body: bytes) -> None:
        """Take one event; of a name that only a newer receiver knows, nothing.

        Raises:
            ValueError: what it says must not be believed, or is behind; it is to be left.

        """
        if name == EVENT:
            self.edge.told(Standing.read(body))
        elif name == TOKENS:
            self._roster = self._roster or Roster()
            holders = self._roster.take(body)
            if holders is not None:
                self.edge.gate.hold(holders)
                self.edge.metrics.tokens.set(len(holders))
                self.edge.ready.set()
                self.whole = True
        elif name in {b"peer-set", b"client-list"}:
            self.edge.take(name.decode(), body)
