"""The dashboards as they are committed, and every query in them."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
GRAFANA = REPOSITORY / "deploy" / "grafana"
DASHBOARDS: Mapping[str, dict[str, Any]] = {
    file.stem: json.loads(file.read_text()) for file in sorted((GRAFANA / "dashboards").glob("*.json"))
}
"""By the name of the file."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query, with the place where it stands."""

    page: str
    place: str
    """`panel title A`, `variable job`, `annotation Blind`."""
    text: str
    instant: bool = False

    def __str__(self) -> str:
        return f"{self.page}: {self.place}"


def queries(page: str, dashboard: Mapping[str, Any]) -> Iterator[Query]:
    """Those of the panels and annotations."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            place = f"{panel['title']} {target['refId']}"
            yield Query(page, place, target["expr"], bool(target.get("instant")))
    for annotation in dashboard["annotations"]["list"]:
        yield Query(page, f"annotation {annotation['name']}", annotation["expr"])


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that is filled from `label_values(selector, label)`."""

    name: str
    selector: str
    label: str
    all_value: str | None
    """What stands for all, if all are chosen at first."""


def variables(dashboard: Mapping[str, Any]) -> Iterator[Variable]:
    """Those that ask Prometheus, in their order."""
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            text = variable["query"]["query"]
            asked = re.fullmatch(r"label_values\((.+), (\w+)\)", text)
            assert asked, f"variable {variable['name']} asks {text!r}, not label_values(selector, label)"
            whole = variable.get("allValue") if variable.get("includeAll") else None
            yield Variable(variable["name"], asked[1], asked[2], whole)
