"""Tests of wgfleet/standing.py: how a receiver or follower says whether what it gives out may be old."""

import pytest

from wgfleet.standing import LIVE, Standing, is_to_be_left


def test_what_is_told_is_read() -> None:
    """The same value."""
    said = Standing(live=False, hops=3)

    assert Standing.read(said.told()) == said


@pytest.mark.parametrize("said", [b"", b"{}", b"[]", b'{"live":true,"hops":"many"}'])
def test_what_cannot_be_read_is_refused(said: bytes) -> None:
    """It is no receiver of ours."""
    with pytest.raises(ValueError, match="what cannot be read"):
        Standing.read(said)


def test_an_event_of_it_has_a_name_of_its_own() -> None:
    """Who waits for documents leaves it out."""
    assert Standing(live=False).event() == b'event: standing\ndata: {"live":false,"hops":0}\n\n'


def test_only_who_says_that_it_hears_nothing_is_left() -> None:
    """Not one that is older than this word, and says nothing."""
    assert is_to_be_left(Standing(live=False, hops=2))
    assert not is_to_be_left(LIVE)
    assert not is_to_be_left(None)
