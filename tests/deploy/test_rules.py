"""The stories of rules.test.yml, by promtool, at several intervals."""

from pathlib import Path

import pytest
import yaml

from tests.deploy.programs import REPOSITORY, output_of
from tests.deploy.stories import stories
from wgfleet.cli.monitoring import Deciding, Kind, Settings, rendered
from wgfleet.cli.probing import Probing, default_timeout, parse_duration

RULES = REPOSITORY / "deploy" / "prometheus" / "rules.yml"


def test_stories() -> None:
    """
    The committed rules do what the committed stories tell.
    """
    output_of("promtool", "test", "rules", RULES.with_name("rules.test.yml"))


@pytest.mark.parametrize(
    ("interval", "threshold", "deciding"),
    [
        ("1s", 3, Deciding.TUNNEL),
        ("5s", 3, Deciding.TUNNEL),
        ("5s", 3, Deciding.ICMP),
        ("5s", 3, Deciding.TCP),
        ("5s", 2, Deciding.TUNNEL),
        ("1s", 5, Deciding.TUNNEL),
        ("200ms", 3, Deciding.TUNNEL),
    ],
)
def test_stories_at_another_pace(interval: str, threshold: int, deciding: Deciding, tmp_path: Path) -> None:
    """
    The same stories hold for other intervals, thresholds and deciding probes.
    """
    every = parse_duration(interval)
    probing = Probing(every, default_timeout(every), threshold)
    (tmp_path / "rules.yml").write_text(rendered(Kind.RULES, Settings(probing, deciding)))
    (tmp_path / "rules.test.yml").write_text(stories(probing, deciding))

    output_of("promtool", "test", "rules", tmp_path / "rules.test.yml")


def test_lint() -> None:
    """
    Promtool finds nothing to say about the rules.
    """
    assert "SUCCESS: 6 rules found" in output_of(
        "promtool", "check", "rules", "--lint=all", "--lint-fatal", RULES
    )


def test_labels_are_identity() -> None:
    """
    An alert has the labels severity and action, which are constants, and its worker; and it explains itself.
    """
    groups = yaml.safe_load(RULES.read_text())["groups"]
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]

    assert [(alert["alert"], alert["labels"]) for alert in alerts] == [
        ("WireGuardWorkerDown", {"severity": "critical", "action": "failover"}),
        ("WireGuardWorkerUp", {"severity": "none", "action": "admit"}),
        ("WireGuardVantageBlind", {"severity": "critical", "action": "hold"}),
        ("Watchdog", {"severity": "none", "action": "watchdog"}),
    ]
    assert [{"summary", "description"}] * 4 == [set(alert["annotations"]) for alert in alerts]
    assert [(group["name"], group["interval"]) for group in groups] == [
        ("wgfleet-probes", "1s"),
        ("wgfleet-watchdog", "5s"),
    ]
