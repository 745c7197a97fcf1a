"""What is asked of a dashboard, in the spirit of Grafana's dashboard-linter: each rule yields what it finds wrong."""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.dashboards.committed import REPOSITORY, Query, queries, variables
from tests.dashboards.selectors import Selector, selectors

Dashboard = Mapping[str, Any]

MOST_PANELS = 20
"""More than that is two pages."""
COLUMNS = 24
"""Of Grafana's grid."""
RUNBOOKS = "https://github.com/wgfleet/wgfleet/blob/main/"
PAGES = {"wgfleet-fleet", "wgfleet-worker", "wgfleet-pipeline", "wgfleet-clients"}
WITHOUT_JOB = re.compile(r"ALERTS|ALERTS_FOR_STATE|wgfleet:.+")
"""What Prometheus itself makes of rules has the rule's labels alone."""
COUNTER = re.compile(r".+_(total|bucket|count|sum)$")
GROWTH = {"rate": {"$__rate_interval"}, "increase": {"$__rate_interval", "$__range"}}
"""How a counter may be asked, and over which windows; the whole time shown only where one number stands for it."""
BUILT_IN = {"__all", "__rate_interval", "__range", "__interval", "__url_time_range", "__value", "__data"}


def panels_explain_themselves(dashboard: Dashboard) -> Iterator[str]:
    """Title, description of a sentence at least, unit."""
    for panel in dashboard["panels"]:
        title = panel.get("title") or f"panel {panel['id']}"
        if not panel.get("title"):
            yield f"{title}: no title"
        if len(panel.get("description", "").split()) < 8 or not panel["description"].endswith("."):
            yield f"{title}: no description"
        if not panel["fieldConfig"]["defaults"].get("unit"):
            yield f"{title}: no unit"


def names_are_unique(dashboard: Dashboard) -> Iterator[str]:
    """Titles, numbers of panels, letters of queries."""
    for name in ("id", "title"):
        yield from (
            f"{name} {twice!r} twice" for twice in _twice(panel[name] for panel in dashboard["panels"])
        )
    for panel in dashboard["panels"]:
        for twice in _twice(target["refId"] for target in panel["targets"]):
            yield f"{panel['title']}: query {twice} twice"


def every_panel_asks(dashboard: Dashboard) -> Iterator[str]:
    """The chosen data source, at least once, as table or series."""
    for panel in dashboard["panels"]:
        if not panel.get("targets"):
            yield f"{panel['title']}: no query"
        for asked in (panel, *panel.get("targets", [])):
            if asked.get("datasource") != {"type": "prometheus", "uid": "${datasource}"}:
                yield f"{panel['title']}: asks {asked.get('datasource')}"


def series_have_matchers(dashboard: Dashboard) -> Iterator[str]:
    """A job always: another exporter may use the same names. Recorded rules and alerts have none."""
    for query, selector in _selectors(dashboard):
        if not WITHOUT_JOB.fullmatch(selector.metric) and "job" not in selector.matchers:
            yield f"{query.place}: {selector.metric} without job"
        worker = selector.matchers.get("worker")
        if selector.metric.startswith("wireguard_") and worker != "=~$worker":
            yield f"{query.place}: {selector.metric} with worker{worker}"


def counters_are_asked_for_their_growth(dashboard: Dashboard) -> Iterator[str]:
    """Over a window that Grafana fits to the scrape interval."""
    instant = {query.place for query in _panel_queries(dashboard) if query.instant}
    for query, selector in _selectors(dashboard):
        if COUNTER.fullmatch(selector.metric) and selector.function not in GROWTH:
            yield f"{query.place}: counter {selector.metric} without rate or increase"
        if selector.function in GROWTH and not COUNTER.fullmatch(selector.metric):
            yield f"{query.place}: {selector.function} of {selector.metric}, which is no counter"
        if selector.window not in GROWTH.get(selector.function, {"", "$__rate_interval", "$__range"}):
            yield f"{query.place}: window {selector.window}"
        if selector.window == "$__range" and query.place not in instant:
            yield f"{query.place}: the whole range at each point of a graph"


def single_peers_are_few(dashboard: Dashboard) -> Iterator[str]:
    """A query that reads single peers names worker and interface, ends in a top list, and is asked once."""
    for query in _panel_queries(dashboard):
        read = [each for each in selectors(query.text) if each.metric.startswith("wireguard_peer_")]
        if read and "topk(" not in query.text:
            yield f"{query.place}: every peer, without topk"
        if read and not query.instant:
            yield f"{query.place}: single peers at each point of a graph"
        for selector in read:
            if not {"worker", "interface"} <= set(selector.matchers):
                yield f"{query.place}: {selector.metric} of every interface"


def variables_are_as_everywhere(dashboard: Dashboard) -> Iterator[str]:
    """Data source first, then job (on one page: probe) as dashboard-linter wants it; fresh with the time range; none undefined or unused."""
    listed = dashboard["templating"]["list"]
    if (listed[0]["name"], listed[0]["type"], listed[0]["query"]) != (
        "datasource",
        "datasource",
        "prometheus",
    ):
        yield "the first variable is not the data source"
    for variable in listed[1:]:
        if variable.get("refresh") != 2:
            yield f"variable {variable['name']}: not fresh when the time range changes"
        if not variable.get("label"):
            yield f"variable {variable['name']}: no label"
        if variable.get("includeAll") and variable.get("allValue") != ".+":
            yield f"variable {variable['name']}: all is {variable.get('allValue')!r}, not '.+'"
    jobs = [each for each in listed if each["name"] in {"job", "probe"}]
    if not (len(jobs) == 1 and jobs[0].get("multi") and jobs[0].get("includeAll")):
        yield "variable job: not several and all"
    used = set(
        re.findall(r"\$\{?(\w+)", str(dashboard["panels"]) + str(dashboard["annotations"]) + str(listed))
    )
    names = {variable["name"] for variable in listed}
    yield from (f"variable {name}: not defined" for name in sorted(used - names - BUILT_IN))
    yield from (f"variable {name}: not used" for name in sorted(names - used))


def panels_do_not_overlap(dashboard: Dashboard) -> Iterator[str]:
    """And stay on the grid."""
    for panel in dashboard["panels"]:
        if panel["gridPos"]["x"] + panel["gridPos"]["w"] > COLUMNS:
            yield f"{panel['title']}: beyond the grid"
    for one, other in itertools.combinations(dashboard["panels"], 2):
        a, b = one["gridPos"], other["gridPos"]
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        if not (beside or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]):
            yield f"{one['title']} overlaps {other['title']}"


def links_lead_somewhere(dashboard: Dashboard) -> Iterator[str]:
    """To a page of ours, or to a file of the repository; a runbook's alert may be a value of the row."""
    for url in sorted(set(re.findall(r"'url': '([^']+)'", str(dashboard)))):
        page = re.match(r"/d/([\w-]+)\?", url)
        # A runbook for whatever alert is in the row: the folder's index stands for them all.
        file = url.removeprefix(RUNBOOKS).replace("${__value.raw}", "README")
        if page and page[1] not in PAGES:
            yield f"no page {page[1]}"
        elif not page and not (url.startswith(RUNBOOKS) and (REPOSITORY / file).is_file()):
            yield f"no file {url}"


def the_page_is_ours(dashboard: Dashboard) -> Iterator[str]:
    """A known and steady uid, not editable, links to the others, both annotations, few panels."""
    if dashboard["uid"] not in PAGES:
        yield f"uid {dashboard['uid']}"
    if dashboard["editable"]:
        yield "editable"
    if "python -m tools.dashboards" not in dashboard["description"]:
        yield "does not say what makes it"
    if dashboard["tags"] != ["wgfleet"] or "dashboards" not in [link["type"] for link in dashboard["links"]]:
        yield "no links between the pages"
    if [annotation["name"] for annotation in dashboard["annotations"]["list"]] != ["Failovers", "Blind"]:
        yield "annotations are not Failovers and Blind"
    for annotation in dashboard["annotations"]["list"]:
        if annotation["target"]["expr"] != annotation["expr"]:
            yield f"annotation {annotation['name']}: asks otherwise in older Grafanas than in newer ones"
    if len(dashboard["panels"]) > MOST_PANELS:
        yield f"{len(dashboard['panels'])} panels"


RULES: tuple[Callable[[Dashboard], Iterator[str]], ...] = (
    panels_explain_themselves,
    names_are_unique,
    every_panel_asks,
    series_have_matchers,
    counters_are_asked_for_their_growth,
    single_peers_are_few,
    variables_are_as_everywhere,
    panels_do_not_overlap,
    links_lead_somewhere,
    the_page_is_ours,
)


def _twice(names: Iterator[Any]) -> list[Any]:
    seen = list(names)
    return sorted({name for name in seen if seen.count(name) > 1})


def _panel_queries(dashboard: Dashboard) -> Iterator[Query]:
    return (query for query in queries("", dashboard) if not query.place.startswith("annotation "))


def _selectors(dashboard: Dashboard) -> Iterator[tuple[Query, Selector]]:
    for query in queries("", dashboard):
        for selector in selectors(query.text):
            yield query, selector


def metrics(dashboard: Dashboard) -> set[str]:
    """Every metric that the dashboard asks for, its variables included."""
    asked = {selector.metric for _, selector in _selectors(dashboard)}
    return asked | {each.metric for variable in variables(dashboard) for each in selectors(variable.selector)}
