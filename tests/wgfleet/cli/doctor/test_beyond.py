"""Tests of wgfleet/cli/doctor/beyond.py: other receivers, publishers and followers."""

from typing import Any

import pytest

from tests.wgfleet.cli.doctor.well import asked, data, doctor, good, ill, prometheus, receiver, targets
from wgfleet.cli.doctor.asking import Answer
from wgfleet.cli.doctor.beyond import BEHIND_SECONDS, judge_beyond, judge_scraped
from wgfleet.cli.doctor.findings import Finding, Level
from wgfleet.cli.doctor.whole import BEYOND, judge

FAULT, WARNING, UNCHECKED = Level.FAULT, Level.WARNING, Level.UNCHECKED


def found(**said: Any) -> list[Finding]:
    """What is found where the receiver says this."""
    return list(judge_beyond(receiver({**doctor(), **said})))


def test_a_fleet_on_one_machine_has_no_part_of_it() -> None:
    """Nor one whose receiver does not know the question."""
    assert BEYOND not in [group.title for group in judge(asked())]
    assert found(sharing=None, publishers={}, followers={}) == []


def test_what_is_well_is_told_by_name() -> None:
    """Receivers, publishers, followers."""
    findings = found(sharing=3.0, publishers={"mqtt": 0.0, "file": BEHIND_SECONDS}, followers={"edge1": True})

    assert ill(findings) == []
    assert [finding.what for finding in findings] == [
        "3 receivers were heard on its store lately, with this one",
        "the newest peer set is with mqtt",
        "the newest peer set is on its way to file",
        "it is followed by edge1",
    ]


def test_a_receiver_that_is_the_last_on_its_store_says_so() -> None:
    """In words, and not as `1 receivers`."""
    assert [finding.what for finding in found(sharing=1.0, publishers={}, followers={})] == [
        "no other receiver was heard on its store lately"
    ]


def test_a_publisher_that_is_behind_is_told() -> None:
    """And since when; the other is well."""
    assert ill(found(publishers={"mqtt": 600.0, "file": 0.0})) == [
        (WARNING, "mqtt has had an old peer set for 10 min")
    ]


def test_a_receiver_that_nobody_follows_is_told_if_there_are_followers() -> None:
    """There is no other receiver that they could follow."""
    assert ill(found(followers={"edge1": False, "edge2": False})) == [
        (WARNING, "nobody follows it, though there are followers' tokens: edge1, edge2")
    ]


@pytest.mark.parametrize(
    ("sharing", "followers"), [(None, {"edge1": True, "edge2": False}), (2.0, {"edge2": False})]
)
def test_a_follower_that_may_follow_another_is_not_judged(
    sharing: float | None, followers: dict[str, bool]
) -> None:
    """A follower, or another receiver."""
    assert ill(found(sharing=sharing, followers=followers)) == [(UNCHECKED, "followers edge2")]


def test_one_of_several_receivers_that_has_lost_its_store_is_a_fault_and_told_once() -> None:
    """How many others it hears says nothing then."""
    lost = Answer(503, {"error": "PostgreSQL is away"}, error="503: PostgreSQL is away")

    groups = judge(asked(receiver({**doctor(), "sharing": 1.0}, ready=lost)))

    findings = [finding for group in groups for finding in group.findings if finding.level is not Level.OK]
    assert [(finding.level, finding.what) for finding in findings] == [
        (FAULT, "it cannot keep changes: 503: PostgreSQL is away")
    ]
    assert BEYOND not in [group.title for group in groups]


def live(**values: str) -> Answer:
    """What Prometheus knows of each, by its name."""
    return good(
        data(
            {
                "result": [
                    {"metric": {"instance": name}, "value": [0, value]} for name, value in values.items()
                ]
            }
        )
    )


def test_a_follower_that_is_alone_is_told_by_prometheus() -> None:
    """By where it is scraped."""
    assert ill(judge_scraped(prometheus(followers=live(edge1="1", edge2="0")), receiver())) == [
        (WARNING, "followers do not hear the receiver: edge2")
    ]
    (heard,) = judge_scraped(prometheus(followers=live(edge1="1")), receiver())
    assert heard == Finding(Level.OK, "the receiver is heard by the followers edge1")


@pytest.mark.parametrize(
    ("job", "what"), [("wgfleet-receiver", "receiver"), ("wgfleet-follower", "follower")]
)
def test_one_that_is_not_scraped_is_told(job: str, what: str) -> None:
    """One that has not been scraped yet is not."""
    listed = [
        {
            "labels": {"job": job, "instance": f"{health}:9587"},
            "discoveredLabels": {},
            "health": health,
            "lastError": "connection refused",
        }
        for health in ("up", "unknown", "down")
    ]
    answer = good(data({"activeTargets": [*targets(), *listed]}))

    assert ill(judge_scraped(prometheus(targets=answer), receiver())) == [
        (WARNING, f"{what} down:9587 is not scraped: connection refused")
    ]


def several(sharing: float | None, *, down: tuple[str, ...] = (), **stores: str) -> list[Finding]:
    """What is found of receivers: which have their store, which are not scraped, how many the one that is asked hears."""
    listed = [
        {
            "labels": {"job": "wgfleet-receiver", "instance": name},
            "discoveredLabels": {},
            "health": "down" if name in down else "up",
            "lastError": "refused" if name in down else "",
        }
        for name in (*stores, *down)
    ]
    answer = good(data({"activeTargets": [*targets(), *listed]}))
    told = receiver({**doctor(), "sharing": sharing})
    return list(judge_scraped(prometheus(targets=answer, stores=live(**stores)), told))


def test_receivers_that_are_well_are_told_by_name() -> None:
    """All that Prometheus knows; a single one is no part of it."""
    assert several(3.0, r1="1", r2="1", r3="1") == [
        Finding(Level.OK, "3 of 3 receivers answer and have their store: r1, r2, r3")
    ]
    assert several(None, r1="1") == []


def test_of_several_receivers_it_is_told_which_is_gone_and_which_is_cut_off() -> None:
    """Each with its own page; and how many are left."""
    findings = several(1.0, down=("r3",), r1="1", r2="0")

    assert [(finding.what, finding.do.partition(".md")[0]) for finding in findings] == [
        ("receiver r3 is not scraped: refused", "docs/runbooks/WireGuardReceiverMissing"),
        ("r2: cut off from the store, and decides nothing", "docs/runbooks/WireGuardReceiverCutOff"),
        ("1 of 3 receivers answer and have their store: r1", ""),
    ]


def test_where_no_receiver_decides_the_pages_are_those_of_that() -> None:
    """It is more than one that is missing."""
    findings = several(1.0, down=("r3",), r2="0")

    assert [finding.do.partition(".md")[0] for finding in findings] == [
        "docs/runbooks/WireGuardReceiverDown",
        "docs/runbooks/WireGuardStoreFailing",
    ]


@pytest.mark.parametrize("sharing", [None, 1.0])
def test_receivers_that_do_not_hear_each_other_are_told(sharing: float | None) -> None:
    """Each has a store, and not all the same."""
    assert ill(several(sharing, r1="1", r2="1")) == [
        (WARNING, "of these, http://127.0.0.1:9587 hears 1 on its store, with itself")
    ]
