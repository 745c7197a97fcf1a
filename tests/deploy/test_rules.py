"""The stories of the rules, by promtool of both generations, at several intervals."""

import re
from pathlib import Path

import pytest

from tests.deploy.programs import REPOSITORY
from tests.deploy.promtools import GENERATIONS, groups_of, said_by, verdicts_of
from tests.deploy.stories import Told, stories
from wgfleet.cli.monitoring import Kind, rendered
from wgfleet.cli.probing import Probing, default_timeout, parse_duration
from wgfleet.cli.settings import Deciding, Settings

RULES = REPOSITORY / "deploy" / "prometheus" / "rules.yml"
ALERTS = [rule for group in groups_of(RULES.read_text()) for rule in group["rules"] if "alert" in rule]

ACTIONS = {
    "WireGuardWorkerDown": ("critical", "failover"),
    "WireGuardWorkerDegraded": ("critical", "failover"),
    "WireGuardWorkerUp": ("none", "admit"),
    "WireGuardWorkerOverloaded": ("warning", "spare"),
    "WireGuardVantageBlind": ("critical", "hold"),
    "Watchdog": ("none", "watchdog"),
}
"""The alerts that the receiver acts on, with severity and action."""

IDENTITY = {
    *("worker", "interface", "collector", "part", "vantage"),
    *("instance", "process", "publisher", "alertmanager"),
}
"""The labels that say what an alert is about. Each is a name, and none a measured value."""

each_generation = pytest.mark.parametrize("generation", GENERATIONS)


@each_generation
@pytest.mark.parametrize("told", Told)
def test_stories(told: Told, generation: int) -> None:
    """
    The committed rules do what the committed stories tell.
    """
    said_by(generation, "test", "rules", RULES.with_name(told.file_name))


@pytest.mark.parametrize("told", Told)
def test_committed_stories(told: Told) -> None:
    """
    The committed stories are what their command prints.
    """
    assert RULES.with_name(told.file_name).read_text() == stories(Probing(), Deciding.TUNNEL, told)


@pytest.mark.parametrize(
    ("interval", "threshold", "deciding", "generation"),
    [
        ("1s", 3, Deciding.TUNNEL, 2),
        ("5s", 3, Deciding.TUNNEL, 2),
        ("5s", 3, Deciding.TUNNEL, 3),
        ("5s", 3, Deciding.ICMP, 2),
        ("5s", 3, Deciding.TCP, 3),
        ("5s", 2, Deciding.TUNNEL, 2),
        ("1s", 5, Deciding.TUNNEL, 3),
        ("200ms", 3, Deciding.TUNNEL, 2),
    ],
)
def test_verdicts_at_another_pace(
    interval: str, threshold: int, deciding: Deciding, generation: int, tmp_path: Path
) -> None:
    """
    The same stories hold for other intervals, thresholds and deciding probes.
    """
    probing = _probing(interval, threshold)
    rules = rendered(Kind.RULES, Settings(probing=probing, deciding=deciding))
    (tmp_path / "rules.yml").write_text(verdicts_of(rules))
    (tmp_path / "rules.test.yml").write_text(stories(probing, deciding, Told.VERDICTS))

    said_by(generation, "test", "rules", tmp_path / "rules.test.yml")


@each_generation
@pytest.mark.parametrize("interval", ["1s", "1m"])
def test_warnings_at_another_pace(interval: str, generation: int, tmp_path: Path) -> None:
    """
    People are warned of the same things however often workers are scraped.
    """
    probing = _probing(interval, 3)
    (tmp_path / "rules.yml").write_text(rendered(Kind.RULES, Settings(probing=probing)))
    (tmp_path / "warnings.test.yml").write_text(stories(probing, Deciding.TUNNEL, Told.WARNINGS))

    said_by(generation, "test", "rules", tmp_path / "warnings.test.yml")


def _probing(interval: str, threshold: int) -> Probing:
    every = parse_duration(interval)
    return Probing(every, default_timeout(every), threshold)


@each_generation
def test_lint(generation: int) -> None:
    """
    Promtool finds nothing to say about the rules.
    """
    assert "SUCCESS: " in said_by(generation, "check", "rules", "--lint=all", "--lint-fatal", RULES)


def test_actions() -> None:
    """
    What the receiver acts on has the severity and the action of the contract, and nothing else has an action.
    """
    acting = {alert["alert"]: alert["labels"] for alert in ALERTS if "action" in alert["labels"]}

    assert acting == {
        name: {"severity": severity, "action": action} for name, (severity, action) in ACTIONS.items()
    }


def test_labels_are_identity() -> None:
    """
    An alert's own labels are constants, and those of its series are names of what it is about.
    """
    added = {(label, value) for alert in ALERTS for label, value in alert["labels"].items()}
    kept = {label for alert in ALERTS for group in _grouped(alert["expr"]) for label in group}

    assert {label for label, _ in added} == {"severity", "action"}
    assert not [value for _, value in added if "{{" in value]
    assert kept <= IDENTITY


def test_every_alert_aggregates() -> None:
    """
    No alert keeps a label that somebody's scrape configuration adds: two Prometheis would make two alerts of one.
    """
    loose = [
        alert["alert"]
        for alert in ALERTS
        if not _grouped(alert["expr"]) and not re.match(r"max\(|vector\(|\(?\s*wgfleet:", alert["expr"])
    ]

    assert loose == []


def _grouped(expr: str) -> list[list[str]]:
    """The labels of each `by`."""
    return [group.replace(" ", "").split(",") for group in re.findall(r"\bby \(([^)]*)\)", expr)]


def test_every_alert_explains_itself() -> None:
    """
    An alert has a summary that is the same for all it is about and ends with a period, a description and a runbook.
    """
    for alert in ALERTS:
        notes = alert["annotations"]
        assert set(notes) == {"summary", "description", "runbook_url"}
        assert re.fullmatch(r"[A-Z][^{}]*\.", notes["summary"]), alert["alert"]
        assert notes["runbook_url"].endswith(f"/docs/runbooks/{alert['alert']}.md")


def test_runbooks_elsewhere() -> None:
    """
    The pages may be anywhere.
    """
    rules = rendered(Kind.RULES, Settings(runbooks="https://wiki.example/run"))

    assert {
        rule["annotations"]["runbook_url"]
        for group in groups_of(rules)
        for rule in group["rules"]
        if "alert" in rule
    } == {f"https://wiki.example/run/{alert['alert']}.md" for alert in ALERTS}


def test_load_limit() -> None:
    """
    The limit is the operator's, above which a worker is spared and a tenth below which it is not any more.
    """
    rules = rendered(Kind.RULES, Settings(load_limit=0.5))

    assert [line.strip() for line in rules.splitlines() if "worker_load:avg5m >" in line] == [
        "wgfleet:worker_load:avg5m > 0.5",
        "wgfleet:worker_load:avg5m > 0.5 * 0.9",
    ]


def test_when_warnings_begin() -> None:
    """
    Verdicts and the Watchdog are never delayed by `for`, and their groups are evaluated as often as the contract says.
    """
    groups = groups_of(RULES.read_text())

    assert {alert["alert"] for alert in ALERTS if "for" in alert}.isdisjoint(ACTIONS)
    assert {group["name"]: group["interval"] for group in groups} == {
        "wgfleet-probes": "1s",
        "wgfleet-load": "15s",
        "wgfleet-workers": "15s",
        "wgfleet-monitoring": "15s",
        "wgfleet-beyond": "15s",
        "wgfleet-watchdog": "5s",
    }


@pytest.mark.parametrize("alert", [alert["alert"] for alert in ALERTS])
def test_every_alert_is_told(alert: str) -> None:
    """
    For each alert some story has it firing.
    """
    told = "".join(RULES.with_name(told.file_name).read_text() for told in Told)

    assert f'ALERTS{{alertname="{alert}", ' in told
