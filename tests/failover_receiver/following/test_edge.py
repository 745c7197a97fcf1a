"""Tests of following/edge.py and source.py: what a follower takes from whom it follows, and hands on."""

from collections.abc import AsyncIterator

import pytest

from failover_receiver.access import Gate
from failover_receiver.following import source
from failover_receiver.following.edge import Edge
from failover_receiver.following.held import BehindError, RefusedError
from failover_receiver.following.source import Source
from failover_receiver.holders import Holder, Role
from failover_receiver.publication import Publication
from failover_receiver.store import Document, StoredToken
from tests.failover_receiver.parts import FLEET, SIGNER, Clock
from wgfleet.peerset import TYPE, Monitoring, PeerSet
from wgfleet.signing import Signer, Verifier
from wgfleet.sse import messages
from wgfleet.standing import Standing

pytestmark = pytest.mark.anyio

FOLLOWER = StoredToken("edge", "follower", "f" * 64, 0.0)
PHONE = StoredToken("phone", "client", "c" * 64, 0.0)


@pytest.fixture(autouse=True)
def _no_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """News must not wait for one."""
    monkeypatch.setattr(source, "HEARTBEAT_SECONDS", 3600.0)


def document(generation: int, signer: Signer = SIGNER) -> Document:
    """A peer set of nobody."""
    said = PeerSet(FLEET, 1, generation, 0.0, 1e10, Monitoring.LIVE, ())
    return Document(TYPE, 1, generation, signer.sign(said.to_bytes()))


class Upstream:
    """A receiver as much as a follower sees of it."""

    def __init__(self) -> None:
        self.gate = Gate([FOLLOWER, PHONE], clock=Clock())
        self.publication = Publication()
        self.source = Source(self.gate, (self.publication, Publication()))
        self.edge = Edge(FLEET, Verifier([SIGNER.public_text]), clock=Clock())

    async def events(self) -> AsyncIterator[tuple[bytes, bytes]]:
        """What it says to a follower, each once it is taken."""
        hearing = self.edge.connected("http://receiver")
        follower = Holder("edge", Role.FOLLOWER, FOLLOWER.digest)
        async for name, body in messages(self.source.follow(follower), 1 << 20):
            hearing.take(name, body)
            yield name, body


async def test_what_a_receiver_knows_its_follower_knows() -> None:
    """Documents, tokens and standing, each change as it comes; the follower hands on the same."""
    upstream = Upstream()
    upstream.publication.show(document(1))
    events = upstream.events()
    first = [(await anext(events))[0] for _ in range(3)]
    edge = upstream.edge

    upstream.publication.show(document(2))
    pushed = await anext(events)
    upstream.gate.learn([FOLLOWER])
    changed = await anext(events)

    assert first == [b"standing", b"peer-set", b"tokens"]
    assert (pushed[0], changed[0]) == (b"peer-set", b"tokens")
    assert edge.publication.shown is not None
    assert edge.publication.shown.document == document(2)
    assert edge.gate.holders == upstream.gate.holders
    assert edge.link.standing == Standing(live=True, hops=1)
    issued = "wgfleet_follower_issued_timestamp_seconds"
    assert (
        edge.metrics.registry.get_sample_value(issued, {"document": "peer-set"}) == 0.0
    )  # As documents say here.


async def test_a_follower_that_is_revoked_hears_no_more() -> None:
    """Its stream ends."""
    upstream = Upstream()
    events = upstream.events()
    for _ in range(2):
        await anext(events)

    upstream.gate.learn([PHONE])

    assert [name async for name, _ in events] == []


async def test_a_forged_document_changes_nothing() -> None:
    """It is counted; who sent it is left; what was good is served on. One that is behind likewise."""
    edge = Edge(FLEET, Verifier([SIGNER.public_text]), clock=Clock())
    hearing = edge.connected("http://liar")
    hearing.take(b"peer-set", document(2).body)

    with pytest.raises(RefusedError):
        hearing.take(b"peer-set", document(3, Signer.generate()).body)
    with pytest.raises(BehindError):
        hearing.take(b"peer-set", document(1).body)

    assert edge.publication.shown is not None
    assert edge.publication.shown.document == document(2)
    refused = edge.metrics.registry.get_sample_value(
        "wgfleet_follower_refused_total", {"document": "peer-set"}
    )
    assert refused == 2.0


async def test_news_of_a_newer_receiver_are_left_alone() -> None:
    """Its name is not known here."""
    Edge(FLEET, Verifier([SIGNER.public_text]), clock=Clock()).connected("x").take(b"weather", b"rain")
