"""Tests of wgfleet/cli/doctor/workers.py."""

from typing import Any

from tests.wgfleet.cli.doctor.well import NOON, doctor, ill, receiver
from wgfleet.cli.doctor.findings import Level
from wgfleet.cli.doctor.workers import judge_workers

FAULT, WARNING = Level.FAULT, Level.WARNING


def found(**changes: Any) -> list[tuple[Level, str]]:
    """What is ill where the receiver says this; `fra1` changes that worker alone."""
    said = doctor()
    said["workers"]["fra1"] |= changes.pop("fra1", {})
    return ill(judge_workers(receiver({**said, **changes})))


def test_without_workers_there_is_nothing_to_check_but_that() -> None:
    """The first step is told."""
    assert found(workers={}) == [(WARNING, "no worker is registered")]


def test_a_fleet_that_nobody_can_use_is_a_fault() -> None:
    """Suspect ones can be used."""
    said = doctor()
    for worker in said["workers"].values():
        worker["state"] = "down"
    assert found(workers=said["workers"]) == [(FAULT, "no worker can be used")]
    said["workers"]["ams1"]["state"] = "suspect"
    assert found(workers=said["workers"]) == []


def test_a_worker_without_a_verdict_is_a_fault() -> None:
    """Its death would not be noticed."""
    assert found(fra1={"monitored": False}) == [
        (FAULT, "no verdict is heard on fra1: if one dies, nobody is told")
    ]


def test_clients_that_are_behind_are_told() -> None:
    """Of how many."""
    assert found(clients={"heard": 12, "behind": 3}) == [
        (WARNING, "3 of 12 clients have not applied the newest peer set")
    ]


def test_a_worker_that_does_not_know_the_clients_is_told() -> None:
    """Never, not lately, or an older list."""
    assert found(fra1={"acked_at": None, "follows": False}) == [
        (WARNING, "no client list is followed by fra1: who is added or revoked here stays as it is there")
    ]
    assert found(fra1={"acked_at": None}) == [(WARNING, "not heard since the receiver started: fra1")]
    assert found(fra1={"acked_at": NOON - 600.0}) == [(WARNING, "not heard lately: fra1 for 10 min")]
    assert found(fra1={"acked_at": NOON - 600.0, "client_list": [1, 6]}) == [
        (WARNING, "not heard lately: fra1 for 10 min")
    ]
    assert found(fra1={"client_list": [1, 6]}) == [(WARNING, "an older client list than 1.7 is with fra1")]
    assert found(fra1={"client_list": None}) == [(WARNING, "an older client list than 1.7 is with fra1")]


def test_where_no_client_list_is_published_nobody_is_asked_for_it() -> None:
    """Peers may be managed by other means."""
    assert found(client_list=None, fra1={"acked_at": None, "client_list": None}) == []
