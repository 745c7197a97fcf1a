"""Tests of wgfleet/cli/show.py: tables for people."""

import io
from typing import Any

from rich.console import Console

from wgfleet.cli import show


def printed(workers: dict[str, dict[str, Any]]) -> list[list[str]]:
    """The rows of `status`, in words."""
    sink = io.StringIO()
    health = {"fleet": "test", "epoch": 1, "generation": 7, "monitoring": "live", "workers": workers}
    show.status(health, Console(file=sink, width=120))
    return [line.split() for line in sink.getvalue().splitlines()]


def worker(**said: object) -> dict[str, Any]:
    """A worker that serves."""
    well = {"state": "serving", "reason": "up", "since": None, "load": None, "clients": 2, "monitored": True}
    return {**well, **said}


def test_status_shows_how_loaded_a_worker_is() -> None:
    """In hundredths; nothing, where nobody knows."""
    rows = printed({"ams1": worker(load=0.314), "fra1": worker()})

    assert rows[2:] == [["ams1", "serving", "up", "0.31", "2", "yes"], ["fra1", "serving", "up", "2", "yes"]]
