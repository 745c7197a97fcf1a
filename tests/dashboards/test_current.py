"""The committed dashboards are what the generator makes, and what Grafana's own model of a dashboard understands."""

import dataclasses
import importlib
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from failover_receiver.state import Policy
from tests.dashboards.asking import longest_scrape
from tests.dashboards.committed import DASHBOARDS, GRAFANA, REPOSITORY
from tools.dashboards import looks
from tools.dashboards.pages import PAGES, text_of
from wgfleet.cli.monitoring import Settings
from wgfleet.cli.probing import parse_duration

BEYOND_THE_MODEL = re.compile(
    r"annotations\.list\.\d\.(step|titleFormat|tagKeys|useValueForTime|target\.\w+)"
)
"""Fields of an annotation that only Grafana's Prometheus data source knows."""


def provisioning(kind: str) -> dict[str, Any]:
    """What Grafana is told at its start."""
    found: dict[str, Any] = yaml.safe_load((GRAFANA / "provisioning" / kind / "wgfleet.yml").read_text())
    return found


def lost(committed: Any, again: Any, where: str = "") -> Iterator[str]:
    """Where the second lacks what the first has. (The model adds its defaults; that is no loss.)"""
    if isinstance(committed, dict | list) and type(again) is type(committed):
        keys = committed if isinstance(committed, dict) else range(len(committed))
        for key in keys:
            there = f"{where}.{key}".lstrip(".")
            if isinstance(again, dict) and key not in again:
                yield there
            else:
                yield from lost(committed[key], again[key], there)
    elif committed != again:
        yield where


@pytest.mark.parametrize("page", PAGES)
def test_committed_dashboard_is_current(page: str) -> None:
    """After a change run `python -m tools.dashboards`."""
    assert (GRAFANA / "dashboards" / f"{page}.json").read_text() == text_of(PAGES[page]())


@pytest.mark.parametrize("page", PAGES)
def test_every_panel_that_was_written_is_on_its_page(page: str) -> None:
    """One that is left out of the rows is missed by nobody else."""
    module = importlib.import_module(PAGES[page].__module__)
    written = [each for name, each in vars(module).items() if name.isupper() and isinstance(each, Builder)]

    assert len(written) == len(DASHBOARDS[page]["panels"])


def test_every_committed_dashboard_is_made_by_the_generator() -> None:
    """One that was made by hand would rot."""
    assert set(DASHBOARDS) == set(PAGES)


@pytest.mark.parametrize("page", DASHBOARDS)
def test_a_dashboard_loses_nothing_on_its_way_through_grafanas_model(page: str) -> None:
    """What the model did not know, such as a misspelt field, would be gone after reading and writing."""
    register_default_plugins()

    again = json.loads(json.dumps(Dashboard.from_json(DASHBOARDS[page]), cls=JSONEncoder))

    found = lost(DASHBOARDS[page], again)
    assert [where for where in found if not BEYOND_THE_MODEL.fullmatch(where)] == []


def test_what_the_model_does_not_know_is_found() -> None:
    """The comparison itself can fail."""
    assert list(lost({"a": [{"b": 1, "c": 2}], "d": 3}, {"a": [{"b": 1, "e": 9}], "d": 4})) == ["a.0.c", "d"]


def test_nobody_edits_a_provisioned_dashboard_in_the_browser() -> None:
    """What is saved there would be lost at the next start."""
    (provider,) = provisioning("dashboards")["providers"]

    assert provider["allowUiUpdates"] is False
    assert provider["disableDeletion"] is True
    (source,) = provisioning("datasources")["datasources"]
    assert source["editable"] is False


def test_the_data_source_scrapes_as_often_as_prometheus_does() -> None:
    """$__rate_interval is four of it: over less than two scrapes every rate is empty."""
    (source,) = provisioning("datasources")["datasources"]
    prometheus = (REPOSITORY / "deploy" / "prometheus" / "prometheus.yml").read_text()

    assert parse_duration(source["jsonData"]["timeInterval"]) == longest_scrape(prometheus)


def test_the_limit_of_load_is_drawn_where_the_alert_begins() -> None:
    """By default, that is; an operator who renders another one draws another line."""
    (limit,) = (field.default for field in dataclasses.fields(Settings) if field.name == "load_limit")

    assert looks.LOAD[-1] == (limit, looks.BAD)


def test_the_watchdog_turns_red_when_the_receiver_calls_itself_blind() -> None:
    """By default."""
    assert looks.WATCHDOG[-1] == (Policy().watchdog_timeout, looks.BAD)
