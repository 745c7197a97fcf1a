"""Asking Prometheus what Grafana would ask, with the variables filled in as Grafana fills them."""

import json
import math
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import yaml

from tests.dashboards.committed import DASHBOARDS, Query, Variable, variables
from wgfleet.cli.probing import parse_duration

STEP_SECONDS = 1
"""Between the points of a graph: the lab's whole life is shown at its scrape interval."""
ANSWER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    error: str
    """Empty if there was none."""
    series: int
    """Those with at least one number; NaN, which is what a quantile of nothing is, is none."""

    @property
    def good(self) -> bool:
        """Something was there."""
        return not self.error and self.series > 0


def longest_scrape(configuration: str) -> timedelta:
    """The longest scrape interval in a prometheus.yml: what the data source in Grafana must have as its own."""
    read = yaml.safe_load(configuration)
    usual = read["global"]["scrape_interval"]
    return max(parse_duration(job.get("scrape_interval", usual)) for job in read["scrape_configs"])


class Grafana:
    """As much of it as asks."""

    def __init__(self, prometheus: str) -> None:
        """Take Prometheus's address. What is shown begins now."""
        self._prometheus = prometheus
        self._began = time.time()
        configuration = self._get("status/config", {})["data"]["yaml"]
        self._scrape_seconds = int(longest_scrape(configuration).total_seconds())

    def ask(self, query: Query) -> Answer:
        """Ask as the panel or annotation would: at the end of what is shown, or along it."""
        said = self._said(query)
        if said["status"] != "success":
            return Answer(f"{said.get('errorType')}: {said.get('error')}", 0)
        samples = [each.get("values") or [each["value"]] for each in said["data"]["result"]]
        return Answer("", sum(any(map(_is_number, series)) for series in samples))

    def labels(self, query: Query) -> list[dict[str, str]]:
        """The labels of each series of the answer."""
        return [each["metric"] for each in self._said(query)["data"]["result"]]

    def _said(self, query: Query) -> dict[str, Any]:
        now = time.time()
        expression = self.filled(query.text, self.chosen(query.page), now)
        if query.instant:
            return self._get("query", {"query": expression, "time": f"{now:.3f}"})
        when = {"start": f"{self._began:.3f}", "end": f"{now:.3f}", "step": str(STEP_SECONDS)}
        return self._get("query_range", {"query": expression, **when})

    def chosen(self, page: str) -> dict[str, str]:
        """The page's variables as they are when it is opened."""
        values: dict[str, str] = {}
        for variable in variables(DASHBOARDS[page]):
            values[variable.name] = self._first(variable, values)
        return values

    def options(self, variable: Variable, values: Mapping[str, str]) -> list[str]:
        """What can be chosen."""
        match = self.filled(variable.selector, values, time.time())
        asked = {"match[]": match, "start": f"{self._began:.3f}", "end": f"{time.time():.3f}"}
        found: list[str] = self._get(f"label/{variable.label}/values", asked)["data"]
        return found

    def filled(self, text: str, values: Mapping[str, str], now: float) -> str:
        """The text without variables."""
        shown = max(int(now - self._began), 4 * self._scrape_seconds)
        window = max(STEP_SECONDS + self._scrape_seconds, 4 * self._scrape_seconds)
        known = {
            "__rate_interval": f"{window}s",
            "__range": f"{shown}s",
            "__interval": f"{STEP_SECONDS}s",
            **values,
        }
        return re.sub(r"\$(\w+)", lambda found: known[found[1]], text)

    def _first(self, variable: Variable, values: Mapping[str, str]) -> str:
        if variable.all_value is not None:
            return variable.all_value
        options = self.options(variable, values)
        return re.escape(options[0]).replace("\\", "\\\\") if options else ""

    def _get(self, path: str, asked: Mapping[str, str]) -> dict[str, Any]:
        url = f"{self._prometheus}/api/v1/{path}?{urllib.parse.urlencode(asked)}"
        try:
            with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:  # noqa: S310 - our own door.
                said: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as refused:  # Prometheus says in the body what it did not understand.
            said = json.load(refused)
        return said


def _is_number(sample: list[Any]) -> bool:
    return math.isfinite(float(sample[1]))
