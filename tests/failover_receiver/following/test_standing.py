"""Tests of following/standing.py: how a follower stands, and what it says of it."""

import pytest

from failover_receiver.following.standing import HOPS_MOST, Link
from wgfleet.standing import Standing

RECEIVER = Standing(live=True)


def test_one_that_was_never_heard_of_is_not_live() -> None:
    """Whoever asks goes elsewhere."""
    assert Link().standing == Standing(live=False, hops=1)
    assert Link().connected("x", now=1.0).standing.live is False


def test_it_stands_one_further_than_whom_it_follows() -> None:
    """And is live as long as that one is."""
    link = Link().connected("x", now=1.0)

    assert link.told(RECEIVER).standing == Standing(live=True, hops=1)
    assert link.told(Standing(live=True, hops=2)).standing == Standing(live=True, hops=3)
    assert link.told(Standing(live=False, hops=1)).standing == Standing(live=False, hops=2)


def test_one_that_lost_its_receiver_says_since_when() -> None:
    """Trying in vain does not move that."""
    link = Link().connected("x", now=1.0).told(RECEIVER).lost(now=5.0).lost(now=9.0)

    assert (link.standing, link.since) == (Standing(live=False, hops=1), 5.0)


def test_a_ring_of_followers_is_noticed() -> None:
    """They would count on for ever."""
    with pytest.raises(ValueError, match="in a ring"):
        Link().connected("x", now=1.0).told(Standing(live=True, hops=HOPS_MOST))
