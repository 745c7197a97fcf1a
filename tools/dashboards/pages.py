"""The list of the pages, and how one is written down."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from tools.dashboards import clients, fleet, pipeline, worker

DASHBOARDS = Path(__file__).parents[2] / "deploy" / "grafana" / "dashboards"

PAGES: Mapping[str, Callable[[], Dashboard]] = {
    "fleet": fleet.page,
    "worker": worker.page,
    "pipeline": pipeline.page,
    "clients": clients.page,
}
"""By the name of the file."""


def text_of(dashboard: Dashboard) -> str:
    """The dashboard as the file has it: keys sorted, so that a change shows as what it is."""
    return json.dumps(dashboard, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"
