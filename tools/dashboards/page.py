"""What all pages have in common: variables, annotations, links, and the grid."""

from collections.abc import Sequence
from typing import Any, Protocol

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    AnnotationQuery,
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    GridPos,
    Panel,
    RowPanel,
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from tools.dashboards.panels import RUNBOOKS, SOURCE
from tools.dashboards.promql import RECEIVER, newly

TAG = "wgfleet"
COLUMNS = 24
"""Of Grafana's grid."""
ANNOTATION_STEP = "10s"
"""Finer than Grafana's minute, or a short blind time falls between two looks."""
GENERATED = "Made by `python -m tools.dashboards`; edit it there."


class PanelBuilder(Protocol):
    """Whatever kind of panel."""

    def build(self) -> Panel:
        """Finish it."""
        ...


Row = tuple[int, Sequence[tuple[int, PanelBuilder]]]
"""Its height, and its panels with their widths, in cells of the grid."""


def assembled(
    uid: str,
    title: str,
    says: str,
    *,
    variables: Sequence[Builder[VariableModel]],
    rows: Sequence[Row],
    refresh: str,
) -> Dashboard:
    """The whole page."""
    page = build.Dashboard(title).uid(uid).description(f"{says} {GENERATED}").tags([TAG])
    page.readonly().timezone("browser").time("now-6h", "now").refresh(refresh)
    page.tooltip(DashboardCursorSync.CROSSHAIR)
    page.variables(
        [build.DatasourceVariable("datasource").label("Data source").type("prometheus"), *variables]
    )
    page.annotations(
        [_Moments("Failovers", newly("down|suspect|draining"), "orange", "{{worker}} is {{state}}")]
    )
    page.annotation(_Moments("Blind", _BLIND, "red", "monitoring is blind"))
    page.links([_other_pages(), _runbooks()])
    dashboard = page.build()
    dashboard.panels = _placed(rows)
    return dashboard


def job(metric: str) -> build.QueryVariable:
    """The jobs of the exporters that have this metric, at first all of them."""
    return _any_of("job", "Job", f"label_values({metric}, job)")


def probe(metric: str) -> build.QueryVariable:
    """The probes' jobs. Not called `job`: a link to another page takes the variables along, and there it is the exporters'."""
    return _any_of("probe", "Probe", f"label_values({metric}, job)")


def workers(metric: str) -> build.QueryVariable:
    """Any number of workers, at first all of them."""
    return _any_of("worker", "Worker", f"label_values({metric}, worker)")


def some_workers(metric: str) -> build.QueryVariable:
    """Any number of workers, at first one: for pages whose queries cost as much as there are peers."""
    return _query("worker", "Worker", f"label_values({metric}, worker)").multi(multi=True)


def one_worker(metric: str) -> build.QueryVariable:
    """One worker."""
    return _query("worker", "Worker", f"label_values({metric}, worker)")


def interfaces(metric: str) -> build.QueryVariable:
    """Any number of interfaces, at first all of them."""
    return _any_of("interface", "Interface", f"label_values({metric}, interface)")


_ALL = VariableOption(selected=True, text="All", value="$__all")
_BLIND = f"1 - min(wgfleet_receiver_monitoring_live{{{RECEIVER}}})"


def _query(name: str, label: str, query: str) -> build.QueryVariable:
    asked: dict[str, object] = {"qryType": 1, "query": query, "refId": f"variable-{name}"}
    made = build.QueryVariable(name).label(label).datasource(SOURCE).query(asked)
    return made.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.NATURAL_ASC)


def _any_of(name: str, label: str, query: str) -> build.QueryVariable:
    chosen = _query(name, label, query).multi(multi=True).include_all(include_all=True)
    return chosen.all_value(".+").current(_ALL)


class _Moments(Builder[AnnotationQuery]):
    """Marks where a query says more than 0. Of its own because the library's knows no title, tags or step."""

    def __init__(self, name: str, query: str, colour: str, title: str) -> None:
        self._made = _PrometheusAnnotation(
            name=name, datasource=SOURCE, enable=True, icon_color=colour, expr=query
        )
        self._made.title = title

    def build(self) -> AnnotationQuery:
        return self._made


class _PrometheusAnnotation(AnnotationQuery):
    """With the fields that Grafana's Prometheus data source reads beside the common ones."""

    title = ""

    def to_json(self) -> dict[str, Any]:
        more = {"step": ANNOTATION_STEP, "titleFormat": self.title, "tagKeys": "worker,state"}
        # Newer Grafanas read the query here, older ones beside the name.
        target = {"expr": self.expr, "interval": ANNOTATION_STEP, "refId": "Anno"}
        return {**super().to_json(), **more, "useValueForTime": False, "target": target}


def _other_pages() -> build.DashboardLink:
    link = build.DashboardLink("wgfleet").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.as_dropdown(as_dropdown=False).include_vars(include_vars=True).keep_time(keep_time=True)


def _runbooks() -> build.DashboardLink:
    link = build.DashboardLink("Runbooks").type(DashboardLinkType.LINK).icon("doc")
    return link.url(f"{RUNBOOKS}/README.md").target_blank(target_blank=True)


def _placed(rows: Sequence[Row]) -> list[Panel | RowPanel]:
    """The panels with their places. (The library's own layout never lets a row be lower than the one above it.)"""
    panels: list[Panel | RowPanel] = []
    top = 0
    for height, row in rows:
        left = 0
        for width, builder in row:
            panel = builder.build()
            panel.id_val = len(panels) + 1
            panel.grid_pos = GridPos(h=height, w=width, x=left, y=top)
            panels.append(panel)
            left += width
        if left != COLUMNS:
            raise ValueError(f"the row at {top} is {left} wide; the grid is {COLUMNS}")
        top += height
    return panels
