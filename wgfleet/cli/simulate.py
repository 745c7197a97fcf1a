"""`wgfleet simulate`: what the receiver would decide if these things happened now. Nothing happens."""

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from wgfleet.cli.asking import add_receiver, api
from wgfleet.cli.commands import screen
from wgfleet.cli.probing import parse_duration
from wgfleet.cli.show import coloured, table
from wgfleet.names import check_name

NAMED = {
    "down": "WireGuardWorkerDown fires for these workers",
    "degraded": "WireGuardWorkerDegraded fires for them",
    "overloaded": "WireGuardWorkerOverloaded fires for them",
    "up": "WireGuardWorkerUp fires for them, and no Down or Degraded",
    "drain": "an operator drains them",
    "undrain": "lets them serve again",
    "ban": "bars them for good",
    "unban": "lifts the ban",
    "admit": "lets them in",
    "remove": "forgets them",
}
"""What can happen to workers, and what that is."""

Step = dict[str, Any]


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `simulate`."""
    text = "what would be decided if these things happened now, in the order given; nothing is changed"
    parser = commands.add_parser(
        "simulate",
        help=text,
        description=f"Say {text}. FILE holds alerts as JSON: Alertmanager's webhooks, as a list or one per line, each "
        'with "at": seconds from now if it is not to come at once; or a list of alerts, as `amtool -o json alert query` '
        "prints it. When they began and ended counts for nothing: they fire or end when their turn comes.",
        epilog="Exit codes: 0 played, 1 it could not be, 2 it was asked wrongly.",
    )
    parser.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="alerts to play, before all options"
    )
    for what, text in NAMED.items():
        parser.add_argument(f"--{what}", action=_Append, type=_names, metavar="WORKER,…", help=text)
    parser.add_argument(
        "--wait", action=_Append, type=_seconds, metavar="DURATION", help="time passes, as 60s"
    )
    parser.add_argument(
        "--prometheus-dead", action=_Append, nargs=0, help="from here on nothing is heard of Prometheus"
    )
    parser.add_argument(
        "--assume-live", action="store_true", help="as if monitoring were heard now, though it is blind"
    )
    add_receiver(parser)
    parser.set_defaults(run=run, steps=[], parser=parser)


def run(arguments: argparse.Namespace) -> int:
    """Ask the receiver to play it, and show what came of it."""
    steps = [*_read(arguments.file), *arguments.steps] if arguments.file else arguments.steps
    if not steps:
        arguments.parser.error(
            "nothing happens: give --down WORKER, another of the options, or a FILE of alerts"
        )
    body = {"steps": steps, "assume_live": arguments.assume_live}
    answer = api(arguments).call("POST", "/v1/simulations", body=body)
    if arguments.json:
        print(json.dumps(answer))
    else:
        show(answer, screen())
    return 0


def show(played: Mapping[str, Any], console: Console) -> None:
    """What would be decided, and how all would stand at the end."""
    table(console, ("at", "what happens", "worker", "from", "to", "reason"), _rows(played["steps"]))
    console.print()
    table(
        console,
        ("worker", "now", "then", "reason", "clients", "must move"),
        (
            (
                name,
                coloured(worker["before"] or "(none)"),
                coloured(worker["state"]),
                worker["reason"],
                str(worker["clients"]),
                str(worker["must_move"]),
            )
            for name, worker in played["workers"].items()
        ),
    )
    console.print(f"\nclients that must move: {played['must_move']}   monitoring then {played['monitoring']}")
    for warning in played["warnings"]:
        hint = "; --assume-live plays as if it were heard" if warning["warning"] == "blind_now" else ""
        console.print(f"[yellow]warning[/]: {warning['text']}{hint}")
    for ignored in played["ignored"]:
        console.print(f"[yellow]ignored[/]: {ignored['alertname'] or 'an alert'}: {ignored['reason']}")
    console.print("Nothing was changed.")


def _rows(steps: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    for step in steps:
        said = step["step"]
        for one in step["decided"]:
            before, after = (coloured(one[key] or "(none)") for key in ("before", "after"))
            yield _seconds_text(one["at"]), said, one["worker"], before, after, one["reason"]
            said = ""
        if step["refused"]:
            yield _seconds_text(step["at"]), said, "", "", "[red]refused[/]", step["refused"]
        elif said:
            yield _seconds_text(step["at"]), said, "", "", "(no change)", ""


def _seconds_text(seconds: float) -> str:
    return f"{seconds:.1f} s"


class _Append(argparse.Action):
    """Adds a step to those before it: their order is what is played."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - argparse's own signature.
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Take the option's value."""
        what = str(option_string).removeprefix("--")
        step: Step = {"do": what}
        if what == "wait":
            step["seconds"] = values
        elif what in NAMED:
            step["workers"] = values
        namespace.steps = [*namespace.steps, step]


def _names(text: str) -> list[str]:
    try:
        return [check_name(name.strip()) for name in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _seconds(text: str) -> float:
    try:
        return parse_duration(text).total_seconds()
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _read(file: Path) -> list[Step]:
    """The file's alerts as steps, or ValueError that says what is wrong."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ValueError(f"{file} is not there: expected alerts as JSON") from None
    except UnicodeDecodeError:
        raise ValueError(f"{file} is not UTF-8: expected alerts as JSON") from None
    try:
        items = _items(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{file}:{error.lineno}: is not JSON: {error.msg}; expected one value, or one per line"
        ) from None
    if items and all(isinstance(item, dict) and "labels" in item for item in items):
        return [{"do": "alerts", "alerts": [_alert(file, item) for item in items]}]
    return sorted((_webhook(file, item) for item in items), key=lambda step: step["at"])


def _items(text: str) -> list[Any]:
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2 or not lines[1].lstrip().startswith("{"):
            raise
        return [json.loads(line) for line in lines]
    return whole if isinstance(whole, list) else [whole]


def _webhook(file: Path, item: Any) -> Step:
    alerts = item.get("alerts") if isinstance(item, dict) else None
    if not isinstance(alerts, list) or not alerts:
        raise ValueError(
            f"{file}: a webhook has no alerts: expected Alertmanager's own JSON, or a list of alerts"
        )
    at = item.get("at", 0.0)
    if isinstance(at, bool) or not isinstance(at, (int, float)) or at < 0:
        raise ValueError(f"{file}: at is {at!r}, expected seconds from now, as 12.5")
    return {"do": "alerts", "at": at, "alerts": [_alert(file, alert) for alert in alerts]}


def _alert(file: Path, alert: Any) -> dict[str, Any]:
    labels = alert.get("labels") if isinstance(alert, dict) else None
    if not labels or not isinstance(labels, dict):
        raise ValueError(f"{file}: an alert has no labels: expected Alertmanager's own JSON")
    # In a list the status is an object, and what is listed fires.
    status = alert.get("status", "firing")
    return {"labels": labels, "status": status if isinstance(status, str) else "firing"}
