"""Tests of failover_receiver/metrics.py: the whole page."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from prometheus_client.exposition import generate_latest

from failover_receiver.metrics import ALERTS, REASONS, Metrics
from failover_receiver.state import Reason, State
from tests.deploy.programs import program
from tests.failover_receiver.parts import NOON, Parts, seen
from wgfleet.peerset import WorkerState

PAGE = """\
# HELP wgfleet_receiver_alerts_total Alerts that came by webhook; outcome says what became of them.
# TYPE wgfleet_receiver_alerts_total counter
wgfleet_receiver_alerts_total{alertname="",outcome="truncated",status=""} 0.0
# HELP wgfleet_receiver_webhook_duration_seconds Time from a webhook's arrival until its change was durable and shown.
# TYPE wgfleet_receiver_webhook_duration_seconds histogram
wgfleet_receiver_webhook_duration_seconds_bucket{le="0.001"} 0.0
wgfleet_receiver_webhook_duration_seconds_bucket{le="0.0025"} 0.0
wgfleet_receiver_webhook_duration_seconds_bucket{le="0.005"} 0.0
wgfleet_receiver_webhook_duration_seconds_bucket{le="0.01"} 0.0
wgfleet_receiver_webhook_duration_seconds_bucket{le="0.025"} 0.0
wgfleet_receiver_webhook_duration_seconds_bucket{le="0.05"} 0.0
wgfleet_receiver_webhook_duration_seconds_bucket{le="0.1"} 0.0
wgfleet_receiver_webhook_duration_seconds_bucket{le="0.25"} 0.0
wgfleet_receiver_webhook_duration_seconds_bucket{le="0.5"} 0.0
wgfleet_receiver_webhook_duration_seconds_bucket{le="1.0"} 0.0
wgfleet_receiver_webhook_duration_seconds_bucket{le="2.5"} 0.0
wgfleet_receiver_webhook_duration_seconds_bucket{le="+Inf"} 0.0
wgfleet_receiver_webhook_duration_seconds_count 0.0
wgfleet_receiver_webhook_duration_seconds_sum 0.0
# HELP wgfleet_receiver_webhook_taken_timestamp_seconds When a webhook was last taken; 0 if none was since the start.
# TYPE wgfleet_receiver_webhook_taken_timestamp_seconds gauge
wgfleet_receiver_webhook_taken_timestamp_seconds 0.0
# HELP wgfleet_receiver_alert_delay_seconds Time from an alert's start, by Prometheus, until its first webhook had arrived.
# TYPE wgfleet_receiver_alert_delay_seconds histogram
{delays}# HELP wgfleet_receiver_alertmanager_readings_total Readings of Alertmanager's active alerts.
# TYPE wgfleet_receiver_alertmanager_readings_total counter
# HELP wgfleet_receiver_load_readings_total Times that a Prometheus was asked for the workers' loads.
# TYPE wgfleet_receiver_load_readings_total counter
# HELP wgfleet_receiver_decisions_total Changes of a worker's published state, with their reason.
# TYPE wgfleet_receiver_decisions_total counter
wgfleet_receiver_decisions_total{reason="up",state="serving"} 2.0
wgfleet_receiver_decisions_total{reason="admitted",state="serving"} 0.0
wgfleet_receiver_decisions_total{reason="overloaded",state="serving"} 0.0
wgfleet_receiver_decisions_total{reason="registered",state="joining"} 2.0
wgfleet_receiver_decisions_total{reason="hold_down",state="joining"} 0.0
wgfleet_receiver_decisions_total{reason="drained",state="draining"} 0.0
wgfleet_receiver_decisions_total{reason="drained_itself",state="draining"} 0.0
wgfleet_receiver_decisions_total{reason="too_many_down",state="suspect"} 0.0
wgfleet_receiver_decisions_total{reason="worker_down",state="down"} 1.0
wgfleet_receiver_decisions_total{reason="worker_degraded",state="down"} 0.0
wgfleet_receiver_decisions_total{reason="banned",state="banned"} 0.0
# HELP wgfleet_receiver_store_failures_total Changes that could not be kept.
# TYPE wgfleet_receiver_store_failures_total counter
wgfleet_receiver_store_failures_total 0.0
# HELP wgfleet_receiver_store_connected 1 while the store is there; 0 while this receiver is cut off from a PostgreSQL, shows what it has and decides nothing.
# TYPE wgfleet_receiver_store_connected gauge
wgfleet_receiver_store_connected 1.0
# HELP wgfleet_receiver_store_losses_total Times that a PostgreSQL went away.
# TYPE wgfleet_receiver_store_losses_total counter
wgfleet_receiver_store_losses_total 0.0
# HELP wgfleet_receiver_store_clock_ahead_seconds How far this host's clock is ahead of PostgreSQL's; receivers' clocks should agree within a second.
# TYPE wgfleet_receiver_store_clock_ahead_seconds gauge
wgfleet_receiver_store_clock_ahead_seconds 0.0
# HELP wgfleet_receiver_replicas Receivers on this store that were heard in the last seconds, with this one.
# TYPE wgfleet_receiver_replicas gauge
wgfleet_receiver_replicas 1.0
# HELP wgfleet_receiver_epoch Epoch of the peer set.
# TYPE wgfleet_receiver_epoch gauge
wgfleet_receiver_epoch 1.0
# HELP wgfleet_receiver_generation Generation of the peer set.
# TYPE wgfleet_receiver_generation gauge
wgfleet_receiver_generation 4.0
# HELP wgfleet_receiver_issued_timestamp_seconds When the peer set was issued.
# TYPE wgfleet_receiver_issued_timestamp_seconds gauge
wgfleet_receiver_issued_timestamp_seconds 1.795348805e+09
# HELP wgfleet_receiver_monitoring_live 1 if monitoring is heard, 0 if the receiver is blind.
# TYPE wgfleet_receiver_monitoring_live gauge
wgfleet_receiver_monitoring_live 1.0
# HELP wgfleet_receiver_watchdog_heard_timestamp_seconds When the Watchdog was last heard.
# TYPE wgfleet_receiver_watchdog_heard_timestamp_seconds gauge
wgfleet_receiver_watchdog_heard_timestamp_seconds 1.795348805e+09
# HELP wgfleet_receiver_watchers Open event streams.
# TYPE wgfleet_receiver_watchers gauge
wgfleet_receiver_watchers 0.0
# HELP wgfleet_receiver_acks_total Times that a client or worker said what it has applied.
# TYPE wgfleet_receiver_acks_total counter
wgfleet_receiver_acks_total 0.0
# HELP wgfleet_receiver_propagation_seconds Time from a document's publication until a client that follows said that it has applied it.
# TYPE wgfleet_receiver_propagation_seconds histogram
wgfleet_receiver_propagation_seconds_bucket{le="0.01"} 0.0
wgfleet_receiver_propagation_seconds_bucket{le="0.025"} 0.0
wgfleet_receiver_propagation_seconds_bucket{le="0.05"} 0.0
wgfleet_receiver_propagation_seconds_bucket{le="0.1"} 0.0
wgfleet_receiver_propagation_seconds_bucket{le="0.25"} 0.0
wgfleet_receiver_propagation_seconds_bucket{le="0.5"} 0.0
wgfleet_receiver_propagation_seconds_bucket{le="1.0"} 0.0
wgfleet_receiver_propagation_seconds_bucket{le="2.5"} 0.0
wgfleet_receiver_propagation_seconds_bucket{le="5.0"} 0.0
wgfleet_receiver_propagation_seconds_bucket{le="15.0"} 0.0
wgfleet_receiver_propagation_seconds_bucket{le="60.0"} 0.0
wgfleet_receiver_propagation_seconds_bucket{le="+Inf"} 0.0
wgfleet_receiver_propagation_seconds_count 0.0
wgfleet_receiver_propagation_seconds_sum 0.0
# HELP wgfleet_receiver_clients Clients that were heard in the last minutes.
# TYPE wgfleet_receiver_clients gauge
wgfleet_receiver_clients 0.0
# HELP wgfleet_receiver_clients_behind Of these, clients that have not applied the newest document.
# TYPE wgfleet_receiver_clients_behind gauge
wgfleet_receiver_clients_behind 0.0
# HELP wgfleet_receiver_worker_clients Clients that use each worker.
# TYPE wgfleet_receiver_worker_clients gauge
# HELP wgfleet_receiver_worker_state 1 for the state that each worker is published in, 0 for the others.
# TYPE wgfleet_receiver_worker_state gauge
wgfleet_receiver_worker_state{state="serving",worker="ams1"} 1.0
wgfleet_receiver_worker_state{state="joining",worker="ams1"} 0.0
wgfleet_receiver_worker_state{state="draining",worker="ams1"} 0.0
wgfleet_receiver_worker_state{state="suspect",worker="ams1"} 0.0
wgfleet_receiver_worker_state{state="down",worker="ams1"} 0.0
wgfleet_receiver_worker_state{state="banned",worker="ams1"} 0.0
wgfleet_receiver_worker_state{state="serving",worker="fra1"} 0.0
wgfleet_receiver_worker_state{state="joining",worker="fra1"} 0.0
wgfleet_receiver_worker_state{state="draining",worker="fra1"} 0.0
wgfleet_receiver_worker_state{state="suspect",worker="fra1"} 0.0
wgfleet_receiver_worker_state{state="down",worker="fra1"} 1.0
wgfleet_receiver_worker_state{state="banned",worker="fra1"} 0.0
# HELP wgfleet_publisher_up 1 if the last attempt to publish the peer set there succeeded.
# TYPE wgfleet_publisher_up gauge
# HELP wgfleet_publisher_failures_total Attempts to publish there that failed.
# TYPE wgfleet_publisher_failures_total counter
# HELP wgfleet_publisher_generation Generation of the peer set that was last published there.
# TYPE wgfleet_publisher_generation gauge
# HELP wgfleet_publisher_behind_seconds For how long there has been a newer peer set than the one that was published there; 0 if there is none.
# TYPE wgfleet_publisher_behind_seconds gauge
"""


def page(metrics: Metrics) -> str:
    """What Prometheus gets, without what is of the process."""
    lines = generate_latest(metrics.registry).decode().splitlines(keepends=True)
    return "".join(line for line in lines if "process_" not in line)


@pytest.mark.anyio
async def test_the_page_tells_what_was_decided(parts: Parts) -> None:
    """Two workers, one of them down: every metric, its help and every label."""
    await parts.serve("fra1", "ams1")
    parts.clock.now += 5.0
    await parts.hear(seen("down", "fra1", NOON + 5.0), seen("up", "ams1", NOON + 5.0))

    assert page(parts.receiver.metrics) == PAGE.replace("{delays}", "".join(map(no_delay, ALERTS)))


def no_delay(alert: str) -> str:
    """Of an alert that never began, by the alert's name."""
    name = "wgfleet_receiver_alert_delay_seconds"
    limits = ("0.01", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "15.0", "60.0", "+Inf")
    buckets = "".join(f'{name}_bucket{{alertname="{alert}",le="{limit}"}} 0.0\n' for limit in limits)
    return "".join([buckets, *(f'{name}_{part}{{alertname="{alert}"}} 0.0\n' for part in ("count", "sum"))])


def test_every_reason_is_counted_from_zero() -> None:
    """A counter that appears with its first decision would show no rise; and a new reason must not be forgotten."""
    assert {reason for reasons in REASONS.values() for reason in reasons} == set(Reason)
    assert set(REASONS) == set(WorkerState)


def test_every_alert_with_an_action_is_timed_from_zero() -> None:
    """Those of the rules, but the Watchdog."""
    rules = yaml.safe_load((Path(__file__).parents[2] / "deploy" / "prometheus" / "rules.yml").read_text())
    acting = {
        rule["alert"]
        for group in rules["groups"]
        for rule in group["rules"]
        if "alert" in rule and "action" in rule["labels"]
    }

    assert set(ALERTS) == acting - {"Watchdog"}


@pytest.mark.anyio
async def test_a_worker_that_was_removed_has_no_series(parts: Parts) -> None:
    """It would stay on every dashboard for ever."""
    state = await parts.serve("fra1", "ams1")
    metrics = parts.receiver.metrics

    metrics.show(replace(state, published=state.published[:1]))

    assert 'worker="ams1"' in page(metrics)
    assert 'worker="fra1"' not in page(metrics)


def test_a_receiver_that_heard_nothing_is_blind() -> None:
    """And the Watchdog was heard in 1970."""
    metrics = Metrics()
    metrics.show(State(fleet="test"))

    told = page(metrics)

    assert "wgfleet_receiver_monitoring_live 0.0" in told
    assert "wgfleet_receiver_watchdog_heard_timestamp_seconds 0.0" in told


def test_the_process_is_measured_too() -> None:
    """Memory, files and processor time, as of every program that Prometheus scrapes."""
    assert "process_resident_memory_bytes" in generate_latest(Metrics().registry).decode()


def test_promtool_finds_no_fault_in_the_names() -> None:
    """Units, suffixes and helps as Prometheus wants them."""
    done = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=generate_latest(Metrics().registry),
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
