"""Tests of wgfleet/cli/doctor/{prometheus,rules,targets}.py."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.wgfleet.cli.doctor.well import (
    NOON,
    WORKERS,
    at,
    data,
    doctor,
    good,
    groups,
    ill,
    probes,
    prometheus,
    receiver,
    targets,
)
from wgfleet.cli.doctor.asking import Answer
from wgfleet.cli.doctor.findings import Level
from wgfleet.cli.doctor.prometheus import judge_prometheus
from wgfleet.cli.monitoring import Kind, rendered
from wgfleet.cli.settings import Settings

FAULT, WARNING = Level.FAULT, Level.WARNING


def found(said: dict[str, Any] | None = None, /, **answers: Answer) -> list[tuple[Level, str]]:
    """What is ill with a Prometheus that answers so."""
    return ill(judge_prometheus(prometheus(**answers), receiver(said), NOON))


@pytest.mark.parametrize("delay", ["1m", "6s", "500ms"])
def test_a_resend_delay_that_starves_the_watchdog_is_a_fault(delay: str) -> None:
    """Prometheus's default is a minute; without the flag in its answer, that counts."""
    flags = good(data({"rules.alert.resend-delay": delay}))

    (only,) = found(flags=flags)

    assert only == (
        FAULT,
        f"--rules.alert.resend-delay is {delay}, expected 1s to 5s: the Watchdog comes too seldom",
    )


def test_a_flag_that_is_not_told_has_its_default() -> None:
    """A minute."""
    ((level, what),) = found(flags=good(data({})))

    assert (level, what.split(",")[0]) == (FAULT, "--rules.alert.resend-delay is 1m")


def test_a_prometheus_that_is_not_ready_is_a_fault() -> None:
    """It answers, but 503."""
    assert found(ready=Answer(503, error="503: Service Unavailable")) == [
        (FAULT, "it is not ready: 503: Service Unavailable")
    ]


@pytest.mark.parametrize(
    ("question", "what"),
    [
        ("flags", "its flags"),
        ("config", "its configuration"),
        ("rules", "its rules"),
        ("targets", "its targets"),
        ("alertmanagers", "whom it tells of alerts"),
    ],
)
def test_what_it_does_not_tell_is_a_fault(question: str, what: str) -> None:
    """Something stands before it, or is in its place."""
    answers = {question: Answer(404, error="404: page not found")}

    assert (FAULT, f"it does not tell {what}: 404: page not found") in found(**answers)


# Rules.


def test_rules_that_are_not_loaded_are_a_fault() -> None:
    """Each alert that the receiver acts upon."""
    (first, *_) = found(rules=good(data({"groups": []})))

    assert first == (
        FAULT,
        "it has no alert with its action for WireGuardWorkerDown, WireGuardWorkerDegraded, WireGuardWorkerUp, WireGuardWorkerOverloaded, WireGuardVantageBlind, Watchdog",
    )


def changed(change: Callable[[dict[str, Any], dict[str, Any]], None]) -> Answer:
    """The rules, with something done to each, with its group."""
    told = groups()
    for group in told:
        for rule in list(group["rules"]):
            change(group, rule)
    return good(data({"groups": told}))


def test_an_alert_without_its_action_is_none() -> None:
    """The receiver would ignore it."""

    def forget(_group: dict[str, Any], rule: dict[str, Any]) -> None:
        if rule["name"] == "WireGuardWorkerUp":
            rule["labels"].pop("action")

    assert (FAULT, "it has no alert with its action for WireGuardWorkerUp") in found(rules=changed(forget))


def test_rules_are_judged_as_their_file_is() -> None:
    """Also by what stands beside their expressions."""

    def wait(_group: dict[str, Any], rule: dict[str, Any]) -> None:
        if rule["name"] == "WireGuardWorkerDown":
            rule["duration"] = 90.0

    ((level, what),) = found(rules=changed(wait))

    assert level is FAULT
    assert what.startswith("rules: groups[")
    assert what.endswith(".for is 1m30s")


def test_alerts_for_people_that_are_missing_are_a_warning() -> None:
    """Failover does not need them."""

    def drop(group: dict[str, Any], rule: dict[str, Any]) -> None:
        if rule["name"] in {"WireGuardExporterDown", "WireGuardProbeMissing"}:
            group["rules"].remove(rule)

    assert found(rules=changed(drop)) == [
        (WARNING, "it has no WireGuardExporterDown, WireGuardProbeMissing: people are not told")
    ]


@pytest.mark.parametrize(
    ("name", "level"),
    [("WireGuardWorkerDown", FAULT), ("wgfleet:vantage_sane", FAULT), ("WireGuardExporterDown", WARNING)],
)
def test_a_rule_that_fails_is_told_with_its_error(name: str, level: Level) -> None:
    """What people alone need is only a warning."""

    def fail(_group: dict[str, Any], rule: dict[str, Any]) -> None:
        if rule["name"] == name:
            rule.update(health="err", lastError="many-to-many matching not allowed")

    (only,) = {one for one in found(rules=changed(fail)) if name in one[1]}

    assert only[0] is level
    assert only[1].endswith("fails: many-to-many matching not allowed")


def test_rules_that_are_evaluated_late_are_a_fault() -> None:
    """By Prometheus's own clock: three turns and a moment."""

    def late(group: dict[str, Any], _rule: dict[str, Any]) -> None:
        group["lastEvaluation"] = at(-4.0 * group["interval"] - 2.0)

    ((level, what),) = found(rules=changed(late))

    assert level is FAULT
    assert what.startswith("not evaluated lately: ")


def test_rules_that_were_never_evaluated_are_late() -> None:
    """Go's time that never was."""

    def never(group: dict[str, Any], _rule: dict[str, Any]) -> None:
        group["lastEvaluation"] = "0001-01-01T00:00:00Z"

    ((level, what),) = found(rules=changed(never))

    assert (level, "never" in what) == (FAULT, True)


def test_rules_that_take_longer_than_their_turn_are_a_warning() -> None:
    """They will be late."""

    def slow(group: dict[str, Any], _rule: dict[str, Any]) -> None:
        group["evaluationTime"] = group["interval"] + 0.5

    told = found(rules=changed(slow))

    assert {level for level, _ in told} == {WARNING}
    assert all("takes" in what for _, what in told)


def test_the_running_configuration_is_judged_as_files_are() -> None:
    """Here: labels that would make two alerts of one."""
    text = rendered(Kind.PROMETHEUS, Settings()).replace("prometheus|prometheus_replica|replica", "none")
    text = text.replace("rule_files:", "  external_labels: {replica: a}\n\nrule_files:", 1)

    ((level, what),) = found(config=good(data({"yaml": text})))

    assert (level, what) == (FAULT, "prometheus.yml: global.external_labels.replica is a")


# Targets.


def without(job: str, worker: str | None = None) -> Answer:
    """The targets, but those of a job."""
    kept = [
        one
        for one in targets()
        if one["labels"]["job"] != job or (worker is not None and one["labels"].get("worker") != worker)
    ]
    return good(data({"activeTargets": kept}))


@pytest.mark.parametrize(
    ("job", "level", "named"),
    [
        ("wgfleet-worker", WARNING, "ams1 (192.0.2.1), fra1 (192.0.2.2)"),
        ("wgfleet-tunnel", FAULT, "ams1 (192.0.2.1), fra1 (192.0.2.2)"),
        ("wgfleet-icmp", WARNING, "ams1 (192.0.2.1), fra1 (192.0.2.2)"),
        ("wgfleet-tcp", WARNING, "ams1 (192.0.2.1), fra1 (192.0.2.2)"),
        ("wgfleet-canary", WARNING, "192.0.2.254"),
    ],
)
def test_a_job_that_asks_nothing_is_told(job: str, level: Level, named: str) -> None:
    """Without the probe that decides no verdict is made."""
    assert found(targets=without(job)) == [(level, f"{job} does not ask {named}")]


def test_one_worker_that_is_not_probed_is_named() -> None:
    """The receiver knows it, Prometheus does not."""
    assert found(targets=without("wgfleet-tunnel", "fra1")) == [
        (FAULT, "wgfleet-tunnel does not ask fra1 (192.0.2.2)")
    ]


def test_a_worker_that_the_receiver_does_not_name_is_told() -> None:
    """It was removed, or is another fleet's."""
    more = targets()
    more.append({**more[2], "labels": {"job": "wgfleet-tunnel", "worker": "old1"}})

    assert found(targets=good(data({"activeTargets": more}))) == [
        (WARNING, f"wgfleet-tunnel asks old1 ({WORKERS['ams1']}), which the receiver does not name")
    ]


@pytest.mark.parametrize(
    ("job", "health", "level", "said"),
    [
        ("wgfleet-worker", "down", WARNING, "the exporter of fra1 (192.0.2.2) is not scraped: connection refused"),
        ("wgfleet-tunnel", "down", FAULT, "wgfleet-tunnel: blackbox does not probe fra1 (192.0.2.2): connection refused"),
        ("wgfleet-icmp", "down", WARNING, "wgfleet-icmp: blackbox does not probe fra1 (192.0.2.2): connection refused"),
        ("wgfleet-tunnel", "unknown", WARNING, "wgfleet-tunnel has not asked fra1 (192.0.2.2) yet"),
    ],
)  # fmt: skip
def test_a_target_that_does_not_answer_is_told(job: str, health: str, level: Level, said: str) -> None:
    """With Prometheus's own reason."""
    listed = targets()
    for one in listed:
        if one["labels"] == {"job": job, "worker": "fra1"}:
            one.update(health=health, lastError="connection refused")

    assert found(targets=good(data({"activeTargets": listed}))) == [(level, said)]


def test_a_receiver_that_believes_in_another_interval_is_a_fault() -> None:
    """It would wait too long for a verdict, or not long enough."""
    assert found({**doctor(), "probe_interval": 5.0}) == [
        (FAULT, "it probes every 30s, the receiver believes every 5 s")
    ]


def test_canaries_of_the_configuration_count_instead_of_the_receivers() -> None:
    """A vantage elsewhere has a gateway of its own."""
    listed = targets()
    for one in listed:
        if one["labels"]["job"] == "wgfleet-canary":
            one["discoveredLabels"]["__address__"] = "198.51.100.1"

    assert found(targets=good(data({"activeTargets": listed}))) == []


# Probes.


def answering(**tunnels: str) -> Answer:
    values = {("wgfleet-icmp", name): "1" for name in WORKERS}
    return good(probes(values | {("wgfleet-tunnel", name): value for name, value in tunnels.items()}))


def test_a_worker_that_does_not_answer_through_the_tunnel_is_told() -> None:
    """And whether its public address does."""
    assert found(probes=answering(ams1="1", fra1="0")) == [
        (WARNING, "fra1 does not answer through the tunnel; its public address answers")
    ]


def test_when_none_answers_the_vantages_own_tunnel_is_suspected() -> None:
    """One fault, and not one for each worker."""
    assert found(probes=answering(ams1="0", fra1="0")) == [(FAULT, "no worker answers through the tunnel")]


def test_one_vantage_that_sees_a_worker_suffices() -> None:
    """As for the rules."""
    seen = probes({("wgfleet-tunnel", name): "1" for name in WORKERS})
    seen["data"]["result"] += probes({("wgfleet-tunnel", name): "0" for name in WORKERS})["data"]["result"]

    assert found(probes=good(seen)) == []


# Delivery.


def test_a_prometheus_that_tells_nobody_is_a_fault() -> None:
    """Nothing that fires is heard."""
    assert found(alertmanagers=good(data({"activeAlertmanagers": []}))) == [
        (FAULT, "it tells no Alertmanager")
    ]


def test_an_alertmanager_that_the_receiver_does_not_read_is_told() -> None:
    """Its webhook alone would be heard."""
    told = [{"url": f"http://{host}:9093/api/v2/alerts"} for host in ("localhost", "192.0.2.9")]

    assert found(alertmanagers=good(data({"activeAlertmanagers": told}))) == [
        (WARNING, "it tells 192.0.2.9:9093, which the receiver does not read by that address")
    ]


def test_discovery_that_fails_is_told() -> None:
    """Known targets stay, new workers are not seen."""
    failing = good(data({"result": [{"metric": {}, "value": [NOON, "24.1"]}]}))

    assert found(discovery=failing) == [(WARNING, "http_sd failed within the last 2 min")]
