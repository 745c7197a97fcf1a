"""The kinds of panels that the pages are made of. Whoever makes one says its title, what it means, and its unit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import common as choice
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from tools.dashboards import looks

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
RUNBOOKS = "https://github.com/wgfleet/wgfleet/blob/main/docs/runbooks"

ROWS_A_PAGE = 16
"""Workers that a timeline shows at once; a fleet of 64 has four pages, whose names can still be read."""

Kind = TypeVar("Kind", stat.Panel, timeseries.Panel, statetimeline.Panel, bargauge.Panel, table.Panel)


@dataclass(frozen=True, slots=True)
class About:
    """What every panel says of itself."""

    title: str
    says: str
    """What is good, what is bad, and what to do then."""
    unit: str
    runbooks: tuple[str, ...] = ()
    """Alerts whose pages tell more."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One query and the name of its answers, `{{label}}` being a label's value."""

    query: str
    name: str = ""


def number(
    about: About, *asked: Ask, steps: looks.Steps = looks.ANY, words: looks.Words | None = None
) -> stat.Panel:
    """The present value, large, in the colour of what it means."""
    panel = _begun(stat.Panel(), about, asked, instant=True)
    panel.thresholds(looks.thresholds(steps)).color_scheme(looks.by_threshold())
    panel.color_mode(choice.BigValueColorMode.BACKGROUND if words else choice.BigValueColorMode.VALUE)
    panel.graph_mode(choice.BigValueGraphMode.NONE)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    if len(asked) > 1:
        panel.text_mode(choice.BigValueTextMode.VALUE_AND_NAME)
    return panel.mappings(looks.mappings(words)) if words else panel


def lines(
    about: About,
    *asked: Ask,
    steps: looks.Steps | None = None,
    stacked: bool = False,
    below: Sequence[int] = (),
    most: float | None = None,
) -> timeseries.Panel:
    """Values over time. `steps` draws limits; the queries in `below`, by number, are drawn downwards."""
    panel = _begun(timeseries.Panel(), about, asked)
    panel.color_scheme(looks.by_name()).line_width(1).show_points(choice.VisibilityMode.AUTO)
    panel.fill_opacity(25 if stacked else 8)
    panel.legend(_legend()).tooltip(_tooltip())
    if stacked:
        panel.stacking(common.StackingConfig().mode(choice.StackingMode.NORMAL).group("A"))
    else:
        panel.axis_soft_min(0)
    if steps:
        panel.thresholds(looks.thresholds(steps))
        panel.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(choice.GraphThresholdsStyleMode.DASHED)
        )
    if most is not None:
        panel.min(0).max(most)
    for index in below:
        panel.override_by_query(_letter(index), [DynamicConfigValue("custom.transform", "negative-Y")])
    return panel


def events(about: About, *asked: Ask) -> timeseries.Panel:
    """How often something happened, as bars: most of the time it does not."""
    return lines(about, *asked, stacked=True).draw_style(choice.GraphDrawStyle.BARS).fill_opacity(60)


def timeline(about: About, *asked: Ask, words: looks.Words) -> statetimeline.Panel:
    """Which state held when, a row for each."""
    panel = _begun(statetimeline.Panel(), about, asked)
    panel.mappings(looks.mappings(words)).thresholds(looks.thresholds(looks.ANY))
    panel.color_scheme(build.FieldColor().mode(FieldColorModeId.THRESHOLDS))
    panel.show_value(choice.VisibilityMode.AUTO).merge_values(merge_values=True).row_height(0.85)
    panel.per_page(ROWS_A_PAGE).tooltip(_tooltip())
    shown = (
        common.VizLegendOptions().display_mode(choice.LegendDisplayMode.LIST).show_legend(show_legend=False)
    )
    return panel.legend(shown.placement(choice.LegendPlacement.BOTTOM).calcs([]))


def bars(about: About, *asked: Ask, steps: looks.Steps = looks.ANY) -> bargauge.Panel:
    """Present values side by side."""
    panel = _begun(bargauge.Panel(), about, asked, instant=True)
    panel.thresholds(looks.thresholds(steps)).color_scheme(looks.by_threshold()).min(0)
    panel.orientation(choice.VizOrientation.HORIZONTAL).display_mode(choice.BarGaugeDisplayMode.BASIC)
    panel.show_unfilled(show_unfilled=True).value_mode(choice.BarGaugeValueMode.TEXT)
    return panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))


@dataclass(frozen=True, slots=True)
class Column:
    """A label, or the value of a query, as a table shows it."""

    title: str
    query: str = ""
    """Empty for a label."""
    label: str = ""
    looks: tuple[DynamicConfigValue, ...] = ()


def rows(
    about: About, *columns: Column, key: str = "", worst_first: str = "", empty: str = "-"
) -> table.Panel:
    """A table. `key` is the label by which the answers of several queries belong together."""
    asked = [column for column in columns if column.query]
    panel = _begun(table.Panel(), about, [Ask(column.query) for column in asked], as_table=True)
    fields = {f"Value #{_letter(index)}": column.title for index, column in enumerate(asked)}
    if len(asked) == 1:
        fields |= {"Value": asked[0].title}  # Grafana adds the letter only where there are several.
    fields |= {column.label: column.title for column in columns if column.label}
    order = {name: [column.title for column in columns].index(title) for name, title in fields.items()}
    panel.transformations(_joined(fields, order, key))
    panel.show_header(show_header=True).cell_height(choice.TableCellHeight.SM).no_value(empty)
    panel.thresholds(looks.thresholds(looks.ANY))
    if worst_first:
        panel.sort_by([common.TableSortByFieldState().display_name(worst_first).desc(desc=True)])
    for column in columns:
        if column.looks:
            panel.override_by_name(column.title, list(column.looks))
    return panel


def _joined(fields: Mapping[str, str], order: Mapping[str, int], key: str) -> list[DataTransformerConfig]:
    only = {"include": {"names": [*fields]}}
    join = (
        [DataTransformerConfig(id_val="joinByField", options={"byField": key, "mode": "outer"})]
        if key
        else []
    )
    merge = [] if key else [DataTransformerConfig(id_val="merge", options={})]
    named = {"excludeByName": {}, "indexByName": order, "renameByName": fields}
    return [
        DataTransformerConfig(id_val="filterFieldsByName", options=only),
        *join,
        *merge,
        DataTransformerConfig(id_val="organize", options=named),
    ]


def _begun(
    panel: Kind, about: About, asked: Sequence[Ask], *, instant: bool = False, as_table: bool = False
) -> Kind:
    """What all kinds have."""
    panel.title(about.title).description(about.says).unit(about.unit).datasource(SOURCE)
    for index, ask in enumerate(asked):
        query = prometheus.Dataquery().expr(ask.query).ref_id(_letter(index)).datasource(SOURCE)
        query.legend_format(ask.name or "__auto")
        query.format(PromQueryFormat.TABLE if as_table else PromQueryFormat.TIME_SERIES)
        panel.with_target(query.instant() if instant or as_table else query.range())
    panel.links([_runbook(alert) for alert in about.runbooks])
    return panel


def _runbook(alert: str) -> build.DashboardLink:
    link = build.DashboardLink(f"Runbook: {alert}").type(DashboardLinkType.LINK)
    return link.url(f"{RUNBOOKS}/{alert}.md").target_blank(target_blank=True)


def _legend() -> common.VizLegendOptions:
    """A table beneath, the largest first: with 64 lines those that matter are at the top."""
    shown = (
        common.VizLegendOptions().display_mode(choice.LegendDisplayMode.TABLE).show_legend(show_legend=True)
    )
    shown.placement(choice.LegendPlacement.BOTTOM).calcs(["lastNotNull", "max"])
    return shown.sort_by("Max").sort_desc(sort_desc=True)


def _tooltip() -> common.VizTooltipOptions:
    return common.VizTooltipOptions().mode(choice.TooltipDisplayMode.MULTI).sort(choice.SortOrder.DESCENDING)


def _letter(index: int) -> str:
    return chr(ord("A") + index)
