"""Tests of failover_receiver/beats.py, and of the doorway's answers while what they carry may be old."""

from failover_receiver.beats import HEARTBEAT, Beats, header
from wgfleet.standing import LIVE, Standing

CUT_OFF = Standing(live=False)


def test_one_that_was_never_cut_off_has_nothing_to_say() -> None:
    """A comment, as ever."""
    beats = Beats(lambda: LIVE)

    assert [beats(), beats()] == [HEARTBEAT, HEARTBEAT]
    assert header(LIVE) == []


def test_one_that_was_cut_off_says_so_and_that_it_is_back() -> None:
    """Whoever watches is told at its own heartbeat, and the last of them after it is over."""
    said = iter([LIVE, CUT_OFF, CUT_OFF, LIVE, LIVE])
    beats = Beats(lambda: next(said))

    heard = [beats() for _ in range(5)]

    assert heard == [HEARTBEAT, CUT_OFF.event(), CUT_OFF.event(), LIVE.event(), LIVE.event()]
