"""Tests of wgfleet/cli/doctor/alertmanager.py."""

from typing import Any

import pytest
import yaml

from tests.wgfleet.cli.doctor.well import NOON, alertmanager, at, data, good, ill, prometheus, receiver
from wgfleet.cli.doctor.alertmanager import judge_alertmanager
from wgfleet.cli.doctor.asking import Answer, Part
from wgfleet.cli.doctor.findings import Finding, Level
from wgfleet.cli.doctor.prometheus import live_files
from wgfleet.cli.monitoring import Kind, rendered
from wgfleet.cli.settings import Settings

FAULT, WARNING, UNCHECKED, OK = Level.FAULT, Level.WARNING, Level.UNCHECKED, Level.OK
FILE = rendered(Kind.ALERTMANAGER, Settings())


def judged(part: Part, *, prometheus_lives: bool = True, interval: str = "30s") -> list[Finding]:
    file = rendered(Kind.PROMETHEUS, Settings()).replace(
        "scrape_interval: 30s", f"scrape_interval: {interval}"
    )
    probing = live_files(prometheus(config=good(data({"yaml": file}))))
    return list(judge_alertmanager(part, receiver(), probing, NOON, prometheus=prometheus_lives))


def found(file: str = FILE, /, **answers: Answer) -> list[tuple[Level, str]]:
    """What is ill with one that answers so."""
    return ill(judged(alertmanager(0.0, file, **answers)))


def test_a_configuration_without_the_receiver_is_a_fault() -> None:
    """Nothing is delivered."""
    file = "route: {receiver: people}\nreceivers: [{name: people}]\n"

    assert found(file) == [(FAULT, "alertmanager.yml: receivers is without any /v1/alerts")]


def test_a_route_that_keeps_an_alert_from_the_receiver_is_a_fault() -> None:
    """Here: all that the receiver would change something by."""
    config = yaml.safe_load(FILE)
    del config["route"]["routes"][1]

    told = found(yaml.safe_dump(config))

    assert (
        FAULT,
        "alertmanager.yml: route.routes[1] is the route that ends the way of WireGuardWorkerDown",
    ) in told
    assert not any("Watchdog" in what for _, what in told)


def test_times_are_judged_by_prometheuss_own_interval() -> None:
    """A turn of 10 s is short beside 30 s between probes, and long beside 5 s."""
    slow = alertmanager(0.0, FILE.replace("group_interval: 1s", "group_interval: 10s"))

    assert ill(judged(slow, interval="30s")) == []
    assert ill(judged(slow, interval="5s")) == [(FAULT, "alertmanager.yml: route.group_interval is 10s")]


def test_a_webhook_that_goes_elsewhere_is_told() -> None:
    """The same receiver may have two addresses; a password in one is not repeated."""
    file = FILE.replace("http://127.0.0.1:9587/v1", "http://me:secret@192.0.2.9:9587/v1")

    assert found(file) == [
        (WARNING, "its webhook goes to http://192.0.2.9:9587, this command asks http://127.0.0.1:9587")
    ]


def test_another_name_for_this_machine_is_no_other_address() -> None:
    """Whatever stands in the file."""
    assert found(FILE.replace("http://127.0.0.1:9587/v1", "http://localhost:9587/v1")) == []


def test_a_hidden_url_is_not_taken_for_a_wrong_one() -> None:
    """Newer Alertmanagers show none; routes are judged all the same."""
    file = FILE.replace('url: "http://127.0.0.1:9587/v1/alerts"', "url: <secret>")

    assert found(file) == [(UNCHECKED, "whether its webhook is this receiver's")]
    ((level, what), _) = found(file.replace("group_interval: 1s", "group_interval: 40s"))
    assert (level, what) == (FAULT, "alertmanager.yml: route.group_interval is 40s")


@pytest.mark.parametrize(
    ("status", "level", "what"),
    [("settling", WARNING, "its cluster is settling"), ("ready", OK, "its cluster has 2 members")],
)
def test_a_cluster_is_told(status: str, level: Level, what: str) -> None:
    """A single one has none."""
    body = alertmanager().body("status")
    body["cluster"] = {"status": status, "peers": [{}, {}]}

    told = [(one.level, one.what) for one in judged(alertmanager(status=good(body)))]

    assert (level, what) in told


def test_a_watchdog_that_is_old_is_a_fault() -> None:
    """By the clock that gave its time."""
    old = [{"labels": {"action": "watchdog"}, "updatedAt": at(-25.0)}]

    assert found(watchdog=good(old)) == [(FAULT, "it heard the Watchdog 25 s ago")]


def test_without_a_watchdog_prometheus_is_to_blame() -> None:
    """Unless none runs: that is said there."""
    silent = alertmanager(watchdog=good([]))

    assert ill(judged(silent)) == [(FAULT, "it holds no Watchdog")]
    assert ill(judged(silent, prometheus_lives=False)) == [(UNCHECKED, "whether it hears the Watchdog")]


def test_a_watchdog_without_our_action_is_not_ours() -> None:
    """Others have one, too."""
    other = [{"labels": {"alertname": "Watchdog"}, "updatedAt": at(-1.0)}]

    assert found(watchdog=good(other)) == [(FAULT, "it holds no Watchdog")]


def silence(state: str = "active", **matcher: Any) -> dict[str, Any]:
    return {
        "status": {"state": state},
        "createdBy": "anna",
        "endsAt": "2026-11-22T18:00:00.000Z",
        "matchers": [{"name": "worker", "value": "fra1", "isRegex": False, "isEqual": True, **matcher}],
    }


@pytest.mark.parametrize(
    ("held", "muted"),
    [
        (silence(), "WireGuardWorkerDegraded, WireGuardWorkerDown, WireGuardWorkerOverloaded, WireGuardWorkerUp"),
        (silence(name="alertname", value="WireGuard.*Down", isRegex=True), "WireGuardWorkerDown"),
        (silence(value="lon1"), None),
        (silence("expired"), None),
        (silence(name="severity", value="none", isEqual=False, isRegex=False), "WireGuardVantageBlind, WireGuardWorkerDegraded, WireGuardWorkerDown, WireGuardWorkerOverloaded"),
    ],
)  # fmt: skip
def test_a_silence_of_what_moves_workers_is_told_and_is_no_fault(
    held: dict[str, Any], muted: str | None
) -> None:
    """It mutes people only."""
    told = [one.what for one in judged(alertmanager(silences=good([held]))) if "silence" in one.what]

    assert told == (
        []
        if muted is None
        else [
            f"a silence of anna until 2026-11-22T18:00Z mutes {muted}, for people only: the receiver reads silenced alerts, too"
        ]
    )


def test_one_that_does_not_tell_its_status_is_a_fault() -> None:
    """Something else listens there."""
    assert found(status=Answer(404, error="404: page not found")) == [
        (FAULT, "it does not tell its status: 404: page not found")
    ]
