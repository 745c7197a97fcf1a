"""What the failover bench says of its runs."""

from collections import Counter

from tests.bench.failover import Run, summary, turns
from tests.lab.failover import Failover, Way
from tests.lab.traffic import Outage


def run(way: Way, *, firing: float, traffic: float) -> Run:
    """A failure at 100 s, with its alert and its client's traffic so much later."""
    outage = Outage(
        last_reply=100.0,
        first_reply=100.0 + traffic,
        seconds=traffic,
        lost=0,
        via_before="w1",
        via_after="w2",
    )
    failover = Failover(
        worker="w1",
        killed=100.0,
        third_failed_probe=101.0,
        firing=100.0 + firing,
        webhook=110.0,
        published=111.0,
        applied={"c1": 112.0},
        outages={"c1": outage},
    )
    return Run(way, failover)


def test_each_way_of_failing_has_its_turns() -> None:
    """Twenty runs of three ways: none comes more than once oftener than another."""
    assert sorted(Counter(turns(list(Way), 20)).values()) == [6, 7, 7]


def test_the_last_line_has_the_median_and_the_most_of_all_and_of_each_way() -> None:
    """Both are taken over all runs, and over those of one way alone."""
    told = summary(
        [
            run(Way.KILL, firing=2.0, traffic=2.5),
            run(Way.KILL, firing=3.0, traffic=3.5),
            run(Way.CUT, firing=7.0, traffic=7.5),
        ],
        "1s",
    )
    assert (told["interval"], told["runs"]) == ("1s", 3)
    assert (told["killed_to_firing_seconds_p50"], told["killed_to_firing_seconds_max"]) == (3.0, 7.0)
    assert (told["killed_to_traffic_seconds_p50"], told["killed_to_traffic_seconds_max"]) == (3.5, 7.5)
    ways = told["ways"]
    assert isinstance(ways, dict)
    assert [(way, ways[way]["runs"]) for way in ways] == [("cut", 1), ("kill", 2)]
    assert ways["kill"]["killed_to_firing_seconds_p50"] == 2.5
    assert ways["kill"]["killed_to_firing_seconds_max"] == 3.0
