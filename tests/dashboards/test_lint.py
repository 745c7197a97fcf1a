"""The dashboards keep the rules, and ask only for what exists."""

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from exporter.metrics import ALL
from failover_receiver.following.metrics import FollowerMetrics
from failover_receiver.metrics import Metrics
from tests.dashboards import rules
from tests.dashboards.committed import DASHBOARDS, REPOSITORY
from tests.dashboards.rules import RULES, metrics
from tests.dashboards.selectors import Selector, selectors

OF_OTHERS = {
    "up",
    "ALERTS",
    "ALERTS_FOR_STATE",
    "probe_success",
    "probe_duration_seconds",
    "probe_icmp_duration_seconds",
    "prometheus_notifications_dropped_total",
    "prometheus_notifications_errors_total",
    "prometheus_notifications_latency_seconds",
    "prometheus_rule_evaluation_failures_total",
    "prometheus_rule_group_interval_seconds",
    "prometheus_rule_group_iterations_missed_total",
    "prometheus_rule_group_last_duration_seconds",
    "prometheus_rule_group_last_evaluation_timestamp_seconds",
    "alertmanager_notification_latency_seconds_bucket",
    "alertmanager_notification_requests_failed_total",
}
"""Metrics of Prometheus, Alertmanager and the blackbox exporter. That they are there is shown by test_queries."""


def of_the_receiver() -> Iterator[str]:
    """Its metrics and its followers', with the suffixes of their samples."""
    for family in (*Metrics().registry.collect(), *FollowerMetrics().registry.collect()):
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
        yield from (family.name + suffix for suffix in suffixes)


def recorded() -> Iterator[str]:
    """Names that the rules record."""
    rendered = yaml.safe_load((REPOSITORY / "deploy" / "prometheus" / "rules.yml").read_text())
    for group in rendered["groups"]:
        yield from (rule["record"] for rule in group["rules"] if "record" in rule)


def alerts() -> set[str]:
    """The names of all alerts."""
    rendered = yaml.safe_load((REPOSITORY / "deploy" / "prometheus" / "rules.yml").read_text())
    return {rule["alert"] for group in rendered["groups"] for rule in group["rules"] if "alert" in rule}


@pytest.mark.parametrize("page", DASHBOARDS)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule(rule: Callable[[rules.Dashboard], Iterator[str]], page: str) -> None:
    """Nothing is found."""
    assert list(rule(DASHBOARDS[page])) == []


@pytest.mark.parametrize("page", DASHBOARDS)
def test_every_metric_exists(page: str) -> None:
    """In the exporter, the receiver, the rules, or the short list of what others say."""
    known = {family.name for family in ALL} | set(of_the_receiver()) | set(recorded()) | OF_OTHERS

    assert metrics(DASHBOARDS[page]) - known == set()


def test_the_list_of_others_metrics_has_nothing_that_is_not_asked() -> None:
    """Or it would grow for ever."""
    asked = set().union(*map(metrics, DASHBOARDS.values()))

    assert OF_OTHERS - asked == set()


def test_every_uid_is_there_once() -> None:
    """Two with one uid would overwrite each other in Grafana."""
    assert sorted(dashboard["uid"] for dashboard in DASHBOARDS.values()) == sorted(rules.PAGES)


def test_every_alert_has_the_page_that_the_table_of_alerts_leads_to() -> None:
    """The table makes the address of a runbook from the alert's name."""
    pages = {file.stem for file in (REPOSITORY / "docs" / "runbooks").glob("*.md")}

    assert alerts() - pages == set()


def test_every_alert_is_explained_by_a_panel() -> None:
    """Whoever is woken finds what it was about, and from there its runbook."""
    linked = set(re.findall(r"/docs/runbooks/(\w+)\.md", str(DASHBOARDS)))

    assert alerts() - linked == set()


Plant = Callable[[dict[str, Any]], None]


def first(dashboard: dict[str, Any]) -> dict[str, Any]:
    """The first panel, to plant a mistake in."""
    panel: dict[str, Any] = dashboard["panels"][0]
    return panel


def asking(query: str) -> Plant:
    """The mistake of asking so, at each point of a graph."""

    def plant(dashboard: dict[str, Any]) -> None:
        first(dashboard)["targets"][0] |= {"expr": query, "instant": False}

    return plant


def setting(**fields: Any) -> Plant:
    """The mistake of a panel that has these."""
    return lambda dashboard: first(dashboard).update(fields)


def variable(index: int, **fields: Any) -> Plant:
    """The mistake of a variable that has these."""
    return lambda dashboard: dashboard["templating"]["list"][index].update(fields)


def page(**fields: Any) -> Plant:
    """The mistake of a page that has these."""
    return lambda dashboard: dashboard.update(fields)


PEER = "wireguard_peer_receive_bytes_total"
CHOSEN = 'job=~"$job", worker=~"$worker"'
PLANTED: list[tuple[Callable[[rules.Dashboard], Iterator[str]], Plant, str]] = [
    (rules.panels_explain_themselves, setting(title=""), "panel 1: no title"),
    (rules.panels_explain_themselves, setting(description="Load."), "Monitoring: no description"),
    (rules.panels_explain_themselves, setting(fieldConfig={"defaults": {}}), "Monitoring: no unit"),
    (rules.names_are_unique, setting(id=2), "id 2 twice"),
    (rules.names_are_unique, setting(title="Workers"), "title 'Workers' twice"),
    (
        rules.names_are_unique,
        lambda dashboard: first(dashboard)["targets"].append(first(dashboard)["targets"][0]),
        "Monitoring: query A twice",
    ),
    (rules.every_panel_asks, setting(targets=[]), "Monitoring: no query"),
    (rules.every_panel_asks, setting(datasource={"uid": "x"}), "Monitoring: asks {'uid': 'x'}"),
    (rules.series_have_matchers, asking("up"), "Monitoring A: up without job"),
    (
        rules.series_have_matchers,
        asking('wireguard_worker_load_ratio{job="x"}'),
        "Monitoring A: wireguard_worker_load_ratio with workerNone",
    ),
    (
        rules.counters_are_asked_for_their_growth,
        asking("sum(x_total)"),
        "Monitoring A: counter x_total without rate or increase",
    ),
    (
        rules.counters_are_asked_for_their_growth,
        asking("rate(x_ratio[$__rate_interval])"),
        "Monitoring A: rate of x_ratio, which is no counter",
    ),
    (rules.counters_are_asked_for_their_growth, asking("rate(x_total[5m])"), "Monitoring A: window 5m"),
    (
        rules.counters_are_asked_for_their_growth,
        asking("increase(x_total[$__range])"),
        "Monitoring A: the whole range at each point of a graph",
    ),
    (
        rules.single_peers_are_few,
        asking(f'rate({PEER}{{{CHOSEN}, interface=~"$interface"}}[$__rate_interval])'),
        "Monitoring A: every peer, without topk",
    ),
    (
        rules.single_peers_are_few,
        asking(f'topk(9, rate({PEER}{{{CHOSEN}, interface=~"$interface"}}[$__rate_interval]))'),
        "Monitoring A: single peers at each point of a graph",
    ),
    (
        rules.single_peers_are_few,
        asking(f"topk(9, rate({PEER}{{{CHOSEN}}}[$__rate_interval]))"),
        f"Monitoring A: {PEER} of every interface",
    ),
    (rules.variables_are_as_everywhere, variable(0, query="loki"), "the first variable is not the data source"),
    (rules.variables_are_as_everywhere, variable(1, label=""), "variable job: no label"),
    (rules.variables_are_as_everywhere, variable(1, allValue=".*"), "variable job: all is '.*', not '.+'"),
    (rules.variables_are_as_everywhere, variable(1, multi=False), "variable job: not several and all"),
    (
        rules.variables_are_as_everywhere,
        variable(2, refresh=1),
        "variable worker: not fresh when the time range changes",
    ),
    (rules.variables_are_as_everywhere, asking("x[$window]"), "variable window: not defined"),
    (rules.variables_are_as_everywhere, variable(2, name="other"), "variable worker: not defined"),
    (rules.variables_are_as_everywhere, variable(2, name="other"), "variable other: not used"),
    (
        rules.panels_do_not_overlap,
        setting(gridPos={"x": 0, "y": 0, "w": 5, "h": 4}),
        "Monitoring overlaps Workers that serve",
    ),
    (rules.panels_do_not_overlap, setting(gridPos={"x": 23, "y": 99, "w": 2, "h": 1}), "Monitoring: beyond the grid"),
    (rules.links_lead_somewhere, setting(links=[{"url": "/d/gone?x"}]), "no page gone"),
    (
        rules.links_lead_somewhere,
        setting(links=[{"url": f"{rules.RUNBOOKS}docs/gone.md"}]),
        f"no file {rules.RUNBOOKS}docs/gone.md",
    ),
    (rules.the_page_is_ours, page(uid="x"), "uid x"),
    (rules.the_page_is_ours, page(editable=True), "editable"),
    (rules.the_page_is_ours, page(description="By hand."), "does not say what makes it"),
    (rules.the_page_is_ours, page(links=[]), "no links between the pages"),
    (rules.the_page_is_ours, page(annotations={"list": []}), "annotations are not Failovers and Blind"),
    (
        rules.the_page_is_ours,
        lambda dashboard: dashboard["annotations"]["list"][0].update(expr="up"),
        "annotation Failovers: asks otherwise in older Grafanas than in newer ones",
    ),
    (rules.the_page_is_ours, lambda dashboard: dashboard["panels"].extend([{}] * 9), "23 panels"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "plant", "found"), PLANTED)
def test_a_planted_mistake_is_found(
    rule: Callable[[rules.Dashboard], Iterator[str]], plant: Plant, found: str
) -> None:
    """Each rule can fail."""
    dashboard = copy.deepcopy(DASHBOARDS["fleet"])
    plant(dashboard)

    assert found in list(rule(dashboard))


def test_every_rule_is_seen_to_fail() -> None:
    """No rule without a planted mistake."""
    assert {rule for rule, _, _ in PLANTED} == set(RULES)


def test_the_selectors_of_a_query_are_found() -> None:
    """Between functions, labels, keywords, numbers, windows and strings that look like metrics."""
    query = """sum by (le, x) (rate(a_bucket{job="sum(b)", worker=~"$worker"}[$__rate_interval]))
      * on (x) group_left (name) max(c) or time() - d:e offset 5m > bool 1e3 unless vector(0)"""

    assert list(selectors(query)) == [
        Selector("a_bucket", {"job": "=sum(b)", "worker": "=~$worker"}, "$__rate_interval", "rate"),
        Selector("c", {}, "", "max"),
        Selector("d:e", {}, "", ""),
    ]


def test_what_is_no_query_is_refused() -> None:
    """Rather than read halfway."""
    with pytest.raises(AssertionError, match="no matcher"):
        list(selectors('a{"job"}'))
