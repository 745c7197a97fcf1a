"""`wgfleet doctor`: the options, what is printed, and the exit code."""

import argparse
import asyncio
import json
from collections.abc import Sequence
from urllib.parse import urlsplit

from rich.console import Console
from rich.markup import escape

from wgfleet.cli.asking import add_receiver
from wgfleet.cli.commands import screen
from wgfleet.cli.doctor.findings import Finding, Group, Level
from wgfleet.wording import counted

PROMETHEUS, ALERTMANAGER = "http://127.0.0.1:9090", "http://127.0.0.1:9093"

WELL, FAULTY, WARNED = 0, 1, 5
"""Exit codes; 2, 3 and 4 mean other things to `wgfleet`."""

COLOURS = {Level.OK: "green", Level.UNCHECKED: "dim", Level.WARNING: "yellow", Level.FAULT: "bold red"}


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `doctor`."""
    text = "check the whole chain, from the probes to what is published, and say what to mend"
    parser = commands.add_parser(
        "doctor",
        help=text,
        description=f"{text.capitalize()}. It asks the receiver, each Prometheus and each Alertmanager, and changes "
        "nothing. The token goes to the receiver alone.",
        epilog=f"Exit codes: {WELL} all is well, {FAULTY} there is a fault (or the command itself failed, and says so), "
        f"2 it was asked wrongly, {WARNED} there are warnings only.",
    )
    parser.add_argument(
        "--prometheus",
        action="append",
        type=_url,
        metavar="URL",
        help=f"repeat for more (default: {PROMETHEUS})",
    )
    parser.add_argument(
        "--alertmanager",
        action="append",
        type=_url,
        metavar="URL",
        help=f"repeat for more (default: {ALERTMANAGER})",
    )
    add_receiver(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask, judge, print."""
    from wgfleet.cli.doctor.asking import ask_all  # noqa: PLC0415 - the other commands need not wait for a YAML parser.
    from wgfleet.cli.doctor.whole import judge  # noqa: PLC0415 - likewise.

    asked = asyncio.run(
        ask_all(
            arguments.receiver,
            arguments.prometheus or [PROMETHEUS],
            arguments.alertmanager or [ALERTMANAGER],
            token_file=arguments.token_file,
            ca_file=arguments.ca_file,
        )
    )
    groups = judge(asked)
    if arguments.json:
        print(json.dumps(as_json(groups, asked.at)))
    else:
        show(groups, screen())
    return exit_code(groups)


def exit_code(groups: Sequence[Group]) -> int:
    """What the worst finding means. What could not be checked has its own fault elsewhere."""
    if any(group.has(Level.FAULT) for group in groups):
        return FAULTY
    return WARNED if any(group.has(Level.WARNING) for group in groups) else WELL


def show(groups: Sequence[Group], console: Console) -> None:
    """A line for each finding, below its part."""
    for group in groups:
        console.print(f"[bold]{escape(group.title)}[/]", highlight=False, soft_wrap=True)
        for finding in group.findings:
            level = f"[{COLOURS[finding.level]}]{finding.level:<11}[/]"
            console.print(f"  {level}  {escape(_line(finding))}", highlight=False, soft_wrap=True)
    faults, warnings = (_count(groups, level) for level in (Level.FAULT, Level.WARNING))
    console.print(f"{counted(faults, 'fault')}, {counted(warnings, 'warning')}", highlight=False)


def as_json(groups: Sequence[Group], at: float) -> dict[str, object]:
    """The same for programs."""
    return {
        "at": at,
        "faults": _count(groups, Level.FAULT),
        "warnings": _count(groups, Level.WARNING),
        "findings": [
            {"part": group.title, "level": finding.level, "what": finding.what, "do": finding.do}
            for group in groups
            for finding in group.findings
        ],
    }


def _line(finding: Finding) -> str:
    if not finding.do:
        return finding.what
    return (
        f"{finding.what}, because {finding.do}"
        if finding.level is Level.UNCHECKED
        else f"{finding.what} → {finding.do}"
    )


def _count(groups: Sequence[Group], level: Level) -> int:
    return sum(finding.level is level for group in groups for finding in group.findings)


def _url(text: str) -> str:
    wrong = argparse.ArgumentTypeError("expected a URL without a password, as http://127.0.0.1:9090")
    try:
        url = urlsplit(text)
        usable = url.scheme in {"http", "https"} and url.hostname and url.port != 0 and url.username is None
    except ValueError:
        raise wrong from None
    if not usable:
        raise wrong
    return text.rstrip("/")
