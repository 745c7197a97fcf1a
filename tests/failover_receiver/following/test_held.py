"""Tests of following/held.py: which documents a follower serves."""

from dataclasses import replace

import pytest

from failover_receiver.following.held import BehindError, Held, RefusedError
from wgfleet.peerset import Monitoring, PeerSet
from wgfleet.signing import Signer, Verifier

OURS = Signer.generate()
SAID = PeerSet("test", 1, 5, 100.0, 200.0, Monitoring.LIVE, ())


@pytest.fixture
def held() -> Held:
    """One that trusts our key, and has number 1.5."""
    made = Held("peer-set", Verifier([OURS.public_text]), "test")
    assert made.take(OURS.sign(SAID.to_bytes())) is not None
    return made


def test_a_newer_one_is_taken(held: Held) -> None:
    """With its number and its times; the bytes stay as they came."""
    body = OURS.sign(replace(SAID, generation=6).to_bytes())

    taken = held.take(body)

    assert taken is not None
    assert taken is held.newest
    assert (taken.type, taken.number) == ("wgfleet/peer-set", (1, 6))
    assert (taken.issued_at, taken.fresh_until) == (100.0, 200.0)
    assert taken.body == body


def test_the_same_one_is_no_news(held: Held) -> None:
    """As every new connection brings it."""
    assert held.take(OURS.sign(SAID.to_bytes())) is None


def test_an_older_one_says_that_its_sender_is_behind(held: Held) -> None:
    """What is held stays."""
    with pytest.raises(BehindError, match=r"its peer-set is number 1\.4, 1\.5 is held"):
        held.take(OURS.sign(replace(SAID, generation=4).to_bytes()))

    assert held.newest is not None
    assert held.newest.number == (1, 5)


def test_a_receiver_that_was_restored_is_followed(held: Held) -> None:
    """Its epoch is higher, its generation need not be."""
    assert held.take(OURS.sign(replace(SAID, epoch=2, generation=1).to_bytes())) is not None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (Signer.generate().sign(replace(SAID, generation=6).to_bytes()), "signed with key "),
        (OURS.sign(replace(SAID, generation=6, fleet="other").to_bytes()), "fleet is 'other'"),
        (OURS.sign(replace(SAID, issued_at=101.0).to_bytes()), r"its peer-set is number 1\.5, 1\.5 is held"),
        (OURS.sign(b'{"type":"wgfleet/client-list","format":1,"fleet":"test"}'), "type is "),
        (OURS.sign(replace(SAID, generation=6).to_bytes())[:-3] + b"AAA", "Signature verification failed"),
        (b"none at all", "Not enough segments"),
    ],
    ids=["another key", "another fleet", "other bytes", "another type", "a changed byte", "no document"],
)
def test_what_is_forged_is_refused(held: Held, body: bytes, said: str) -> None:
    """And is not merely behind; what is held stays."""
    with pytest.raises(RefusedError, match=said) as caught:
        held.take(body)

    assert not isinstance(caught.value, BehindError)
    assert held.newest is not None
    assert held.newest.number == (1, 5)


def test_a_key_that_was_rotated_is_followed_and_the_old_one_left(held: Held) -> None:
    """As clients do, by the endorsement in the document."""
    new = OURS.successor(fleet="test", now=0.0)

    assert held.take(new.sign(replace(SAID, generation=6).to_bytes())) is not None
    with pytest.raises(RefusedError):
        held.take(OURS.sign(replace(SAID, generation=7).to_bytes()))
