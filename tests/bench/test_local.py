"""Tests of tests/bench/local.py: what it makes of what it has measured."""

from tests.bench.local import Found, Way, summary, turns


def test_each_way_has_its_turns() -> None:
    """As often as the others, as far as the number allows."""
    ways = turns(12)

    assert sorted(ways.count(way) for way in Way) == [2, 2, 2, 3, 3]


def test_the_last_line_has_the_median_and_the_most_of_each_client() -> None:
    """And how often a failure moved one."""
    found = [
        Found(Way.KILL, busy=True, seconds=0.7, moves=1),
        Found(Way.CUT, busy=True, seconds=0.9, moves=2),
        Found(Way.KILL, busy=True, seconds=0.6, moves=1),
        Found(Way.KILL, busy=False, seconds=1.5, moves=0),
    ]

    assert summary(found) == {
        "busy_p50": 0.7,
        "busy_max": 0.9,
        "idle_p50": 1.5,
        "idle_max": 1.5,
        "moves_per_failure": 1.0,
    }


def test_a_client_that_no_failure_reached_has_no_figures() -> None:
    """A run that was cut short."""
    assert summary([Found(Way.KILL, busy=True, seconds=0.7, moves=1)]).keys() == {
        "busy_p50",
        "busy_max",
        "moves_per_failure",
    }
