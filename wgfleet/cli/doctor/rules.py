"""Whether Prometheus judges by our rules, in time."""

from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from wgfleet.cli.doctor.asking import Part
from wgfleet.cli.doctor.clocks import timestamp
from wgfleet.cli.doctor.findings import Finding, fault, ok, seconds, some, untold, warning
from wgfleet.cli.linting.alertmanager import ALERTS
from wgfleet.cli.monitoring import Kind, rendered
from wgfleet.cli.settings import Settings

LATE_TURNS, LATE_SECONDS = 3, 2.0
"""A group that has missed so many turns, and a moment for a busy machine, runs late."""

LOAD = "write them (`wgfleet render rules`), name them in rule_files, and reload Prometheus (SIGHUP)"


def judge_rules(prometheus: Part, now: float) -> Iterator[Finding]:
    """Loaded, without errors, evaluated when it is their turn; `now` by this machine's clock."""
    found = prometheus.body("rules")
    if found is None:
        yield untold("its rules", prometheus.why_not("rules"))
        return
    groups = found["data"]["groups"]
    alerts = {
        (rule["name"], rule.get("labels", {}).get("action", ""))
        for group in groups
        for rule in group["rules"]
        if rule["type"] == "alerting"
    }
    missing = [name for name, labels in ALERTS.items() if (name, labels["action"]) not in alerts]
    if missing:
        yield fault(f"it has no alert with its action for {some(missing, 6)}", LOAD)
    else:
        yield ok(f"it has all {len(ALERTS)} alerts that the receiver acts upon")
    named = {name for name, _ in alerts}
    for_people = [name for name in _all_alerts() if name not in named and name not in ALERTS]
    if for_people and not missing:
        yield warning(f"it has no {some(for_people)}: people are not told", LOAD)
    yield from _judge_health(groups)
    if prometheus.clock is not None:
        yield from _judge_pace(groups, now + prometheus.clock)


def _all_alerts() -> Iterator[str]:
    for group in yaml.safe_load(rendered(Kind.RULES, Settings()))["groups"]:
        yield from (rule["alert"] for rule in group["rules"] if "alert" in rule)


def _judge_health(groups: Sequence[Any]) -> Iterator[Finding]:
    for group in groups:
        for rule in group["rules"]:
            if rule.get("health") == "err" or rule.get("lastError"):
                vital = rule["name"] in ALERTS or rule["type"] == "recording"
                said = f"rule {rule['name']} of {group['name']} fails: {rule.get('lastError', '')}"
                yield (fault if vital else warning)(
                    said, "mend its expression: `wgfleet render --check`, `promtool check rules`"
                )


def _judge_pace(groups: Sequence[Any], now: float) -> Iterator[Finding]:
    ours = [group for group in groups if any(rule["name"] in ALERTS for rule in group["rules"])]
    late = []
    for group in ours:
        waited, turn = now - timestamp(group["lastEvaluation"]), float(group["interval"])
        if waited > LATE_TURNS * turn + LATE_SECONDS:
            late.append(f"{group['name']} (every {turn:g} s) {seconds(waited) if waited < 1e9 else 'never'}")
        elif float(group.get("evaluationTime", 0.0)) > turn:
            yield warning(
                f"group {group['name']} takes {group['evaluationTime']:.1f} s and has {turn:g} s",
                "docs/runbooks/WireGuardRulesLate.md",
            )
    if late:
        yield fault(f"not evaluated lately: {some(late)}", "docs/runbooks/WireGuardRulesLate.md")
    elif ours:
        yield ok("they are evaluated in time")
