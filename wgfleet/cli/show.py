"""Tables for people."""

import sys
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

COLOURS = {
    "serving": "green",
    "joining": "cyan",
    "draining": "yellow",
    "suspect": "yellow",
    "down": "red",
    "banned": "red",
}

USABLE = ("serving", "suspect")


def status(health: Mapping[str, Any], console: Console) -> None:
    """Who serves, and whether monitoring can be believed."""
    live = health["monitoring"] == "live"
    console.print(
        f"fleet {health['fleet']}   peer set {health['epoch']}.{health['generation']}   monitoring "
        + (
            "[green]live[/]"
            if live
            else f"[bold red]blind[/]: {health['frozen_by']}; alerts move nothing until then"
        )
    )
    now = time.time()
    table(
        console,
        ("worker", "state", "reason", "since", "load", "clients", "monitored"),
        (
            (
                name,
                coloured(worker["state"]),
                worker["reason"],
                "" if worker["since"] is None else f"{now - worker['since']:.0f} s",
                "" if worker["load"] is None else f"{worker['load']:.2f}",
                str(worker["clients"]),
                "yes" if worker["monitored"] else "[yellow]no[/]",
            )
            for name, worker in health["workers"].items()
        ),
    )


def workers(listed: Mapping[str, Any], console: Console) -> None:
    """What is said of the workers."""
    table(
        console,
        ("worker", "state", "public key", "endpoints", "tunnel addresses", "allowed IPs", "weight", "region"),
        (
            (
                name,
                coloured(worker["state"]),
                worker["public_key"],
                ", ".join(worker["endpoints"]),
                ", ".join(worker["tunnel_addresses"]),
                ", ".join(worker["allowed_ips"]),
                str(worker["weight"]),
                worker["region"],
            )
            for name, worker in listed["workers"].items()
        ),
    )


def warn_if_nobody_serves(listed: Mapping[str, Any]) -> None:
    """Whatever was asked for, an operator must not overlook that."""
    if not any(worker["state"] in USABLE for worker in listed["workers"].values()):
        print("wgfleet: warning: no worker serves now", file=sys.stderr)


def warn_if_unseen(name: str, listed: Mapping[str, Any]) -> None:
    """A worker that was drained may be published as something that goes before."""
    state = listed["workers"][name]["state"]
    if state not in {"draining", *USABLE}:
        print(f"wgfleet: {name} stays {state}: its drain counts once it is so no more", file=sys.stderr)


def warn_if_drained(name: str, listed: Mapping[str, Any]) -> None:
    """A worker that was admitted is not let in as long as it is drained."""
    worker = listed["workers"][name]
    if worker["drain"]:
        why = (
            "it drained itself, and serves once its daemon runs again"
            if worker["drain_own"]
            else "it is drained"
        )
        print(
            f"wgfleet: {name} is admitted and stays {worker['state']}: {why}; `wgfleet worker undrain {name}` lets it serve now",
            file=sys.stderr,
        )


def _step(event: Mapping[str, Any], end: str) -> str:
    """A worker's state before or after a decision; nothing else that is done has one."""
    return coloured(event[end] or "(none)") if event["what"] == "decided" else ""


def events(history: Iterable[Mapping[str, Any]], console: Console) -> None:
    """What was done and decided, by whom and why."""
    table(
        console,
        ("time", "what", "of", "from", "to", "reason", "by", "number"),
        (
            (
                datetime.fromtimestamp(event["at"], tz=UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
                event["what"],
                event["subject"],
                *(_step(event, end) for end in ("before", "after")),
                event["reason"],
                event["who"],
                f"{event['epoch']}.{event['generation']}",
            )
            for event in history
        ),
    )


def coloured(state: str) -> str:
    """The state in its colour."""
    return f"[{COLOURS[state]}]{state}[/]" if state in COLOURS else state


def table(console: Console, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """A table without lines."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column)
    for row in rows:
        shown.add_row(*row)
    console.print(shown)
