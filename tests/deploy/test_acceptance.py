"""Prometheus, Alertmanager and blackbox take what is rendered; Alertmanager routes it as the contract says."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.programs import REPOSITORY, output_of
from tests.deploy.promtools import GENERATIONS, groups_of, said_by
from wgfleet.cli.monitoring import Kind, rendered
from wgfleet.cli.probing import Probing, default_timeout, parse_duration
from wgfleet.cli.settings import Settings

DEPLOY = REPOSITORY / "deploy"
ALERTMANAGER = DEPLOY / "alertmanager" / "alertmanager.yml"
RULES = DEPLOY / "prometheus" / "rules.yml"

RECEIVERS = {
    "failover": "wgfleet,people",
    "hold": "wgfleet,people",
    "admit": "wgfleet",
    "spare": "wgfleet",
    "watchdog": "wgfleet",
    "": "people",
}
"""Who hears of an alert, by its action."""

each_generation = pytest.mark.parametrize("generation", GENERATIONS)


@each_generation
def test_committed_prometheus(generation: int) -> None:
    """
    Promtool accepts the committed configuration; whether its token exists is the host's affair.
    """
    said_by(
        generation, "check", "config", "--syntax-only", "--lint=all", DEPLOY / "prometheus" / "prometheus.yml"
    )


@each_generation
@pytest.mark.parametrize("interval", ["100ms", "1s", "5s", "30s", "2m"])
def test_any_interval(interval: str, generation: int, tmp_path: Path) -> None:
    """
    All four programs accept their files at any interval, with strange paths, names and addresses.
    """
    token = tmp_path / 'my "token": #1'
    token.write_text("secret")
    every = parse_duration(interval)
    settings = Settings(
        Probing(every, default_timeout(every)),
        receivers=("https://[2001:db8::1]:9443/", "https://r2.example:9587"),
        replicas=("https://[2001:db8::1]:9587", "http://r2.example:9587"),
        followers=("http://[2001:db8::3]:9587", "https://edge.example:9587"),
        receiver_ca_file=str(token),
        vantages=("on=[::1]:9115", "far=far.example:9115", "further=http://[2001:db8::2]:9115"),
        canaries=("far=2001:db8::9", "far=canary.example"),
        vantage_ca_file=str(token),
        vantage_cert_file=str(token),
        vantage_key_file=str(token),
        alertmanagers=("192.0.2.1:9093", "http://am.example:9093"),
        external_labels=("replica=a: #1", "site=here"),
        exporter_scheme="https",
        exporter_ca_file=str(token),
        exporter_username='me "too"',
        exporter_password_file=str(token),
        prometheus_token_file=str(token),
        alertmanager_token_file=str(token),
    )
    for kind in Kind:
        (tmp_path / kind.file_name).write_text(rendered(kind, settings))

    said_by(generation, "check", "config", tmp_path / "prometheus.yml")
    output_of("amtool", "check-config", tmp_path / "alertmanager.yml")
    output_of("prometheus-blackbox-exporter", "--config.check", f"--config.file={tmp_path / 'blackbox.yml'}")


def test_committed_alertmanager() -> None:
    """
    Amtool accepts the committed configuration.
    """
    output_of("amtool", "check-config", ALERTMANAGER)


def test_committed_blackbox() -> None:
    """
    The blackbox exporter accepts the committed configuration.
    """
    output_of(
        "prometheus-blackbox-exporter",
        "--config.check",
        f"--config.file={DEPLOY / 'blackbox' / 'blackbox.yml'}",
    )


@pytest.mark.parametrize(
    "rule",
    [rule for group in groups_of(RULES.read_text()) for rule in group["rules"] if "alert" in rule],
    ids=lambda rule: rule["alert"],
)
def test_routes(rule: dict[str, Any]) -> None:
    """
    What has an action goes to the receiver first, whatever else is; Up, Overloaded and the Watchdog never go to people.
    """
    labels = {"alertname": rule["alert"], "worker": "fra1", **rule["labels"]}
    written = (f"{name}={value}" for name, value in labels.items())

    said = output_of("amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}", *written)

    assert said.strip() == RECEIVERS[rule["labels"].get("action", "")]


def test_every_action_is_routed() -> None:
    """
    The rules have an alert for each action, and some that are for people alone.
    """
    groups = groups_of(RULES.read_text())
    actions = {
        rule["labels"].get("action", "") for group in groups for rule in group["rules"] if "alert" in rule
    }

    assert actions == set(RECEIVERS)


def test_unknown_alert() -> None:
    """
    An alert that is none of ours goes to people.
    """
    said = output_of(
        "amtool",
        "config",
        "routes",
        "test",
        f"--config.file={ALERTMANAGER}",
        "alertname=DiskFull",
        "severity=page",
    )

    assert said.strip() == "people"


def test_route_times() -> None:
    """
    The receiver is told at once, worker by worker, and again every 30 s; the Watchdog every 5 s; people in their own
    time.
    """
    route = yaml.safe_load(ALERTMANAGER.read_text())["route"]
    times = ("group_by", "group_wait", "group_interval", "repeat_interval")

    assert [{key: one[key] for key in times if key in one} for one in (route, *route["routes"])] == [
        {
            "group_by": ["alertname", "worker"],
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": "30s",
        },
        {"group_wait": "0s", "group_interval": "5s", "repeat_interval": "4s"},
        {},
        {"group_by": ["alertname"], "group_wait": "10s", "group_interval": "5m", "repeat_interval": "4h"},
    ]


def test_webhook() -> None:
    """
    The receiver hears of every alert and every resolve, with a token from a file; nobody is told until people are
    filled in.
    """
    assert yaml.safe_load(ALERTMANAGER.read_text())["receivers"] == [
        {
            "name": "wgfleet",
            "webhook_configs": [
                {
                    "url": "http://127.0.0.1:9587/v1/alerts",
                    "send_resolved": True,
                    "max_alerts": 0,
                    "http_config": {
                        "authorization": {
                            "type": "Bearer",
                            "credentials_file": "/etc/wgfleet/alertmanager.token",
                        }
                    },
                }
            ],
        },
        {"name": "people"},
    ]
