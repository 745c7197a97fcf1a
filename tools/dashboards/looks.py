"""Colours, words for numbers, limits. Grafana's named colours have a light and a dark shade, so both themes can be read."""

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

from tools.dashboards.promql import CODES
from wgfleet.peerset import WorkerState

GOOD, NOTE, WARN, BAD, PLAIN = "green", "blue", "orange", "red", "text"

STATE_COLOURS = {
    WorkerState.SERVING: GOOD,
    WorkerState.JOINING: NOTE,
    WorkerState.DRAINING: "purple",
    WorkerState.SUSPECT: WARN,
    WorkerState.DOWN: BAD,
    WorkerState.BANNED: "dark-red",
}

Words = Mapping[float, tuple[str, str]]
"""For a number its word and its colour."""

STATES: Words = {CODES[state]: (state.value, colour) for state, colour in STATE_COLOURS.items()}
LIVE: Words = {1: ("live", GOOD), 0: ("blind", BAD)}
ANSWERS: Words = {1: ("yes", GOOD), 0: ("no", BAD)}

Steps = Sequence[tuple[float | None, str]]
"""From which value on which colour; the first has no value."""

ANY: Steps = ((None, PLAIN),)
NONE_IS_GOOD: Steps = ((None, GOOD), (1, WARN))
ALL_IS_GOOD: Steps = ((None, BAD), (0.5, WARN), (1, GOOD))
LOAD: Steps = ((None, GOOD), (0.7, WARN), (0.85, BAD))
"""0.85 is where WireGuardWorkerOverloaded begins, unless the rules were rendered otherwise."""
WATCHDOG: Steps = ((None, GOOD), (10, WARN), (20, BAD))
"""Seconds. The Watchdog comes every 5 s; after 20 s the receiver calls itself blind."""


def mappings(words: Words) -> list[ValueMapping]:
    """As Grafana has them."""
    options = {
        f"{number:g}": ValueMappingResult(text=word, color=colour, index=index)
        for index, (number, (word, colour)) in enumerate(words.items())
    }
    return [ValueMap(options=options)]


def thresholds(steps: Steps) -> build.ThresholdsConfig:
    """As Grafana has them."""
    made = [Threshold(value=value, color=colour) for value, colour in steps]
    return build.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(made)


def by_threshold() -> build.FieldColor:
    """Colour a value by the threshold that it has passed."""
    return build.FieldColor().mode(FieldColorModeId.THRESHOLDS)


def by_name() -> build.FieldColor:
    """Colour a line by its name: a worker keeps its colour from panel to panel."""
    return build.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC_BY_NAME)


def as_words(words: Words) -> list[DynamicConfigValue]:
    """For a table's column: the word on its colour."""
    coloured = {"type": "color-background", "mode": "basic"}
    return [
        DynamicConfigValue("mappings", mappings(words)),
        DynamicConfigValue("custom.cellOptions", coloured),
    ]


def in_unit(unit: str, steps: Steps | None = None) -> list[DynamicConfigValue]:
    """For a table's column: its unit, and colours for its values if it has limits."""
    shown = [DynamicConfigValue("unit", unit)]
    if steps is not None:
        shown += [
            DynamicConfigValue("thresholds", thresholds(steps).build()),
            DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
        ]
    return shown


def linked(title: str, url: str) -> list[DynamicConfigValue]:
    """For a table's column: where a click on a value leads."""
    return [DynamicConfigValue("links", [{"title": title, "url": url}])]
