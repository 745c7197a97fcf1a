"""`wgfleet token`: who is let in."""

import argparse
import json
import math
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from wgfleet.cli.asking import add_receiver, api
from wgfleet.cli.commands import checked, must_be_new, screen, write_secret
from wgfleet.names import check_name

ROLES = ("operator", "alertmanager", "prometheus", "worker", "client", "vantage", "follower")
UNITS = {"h": 3600, "d": 86400, "w": 7 * 86400}
"""Seconds."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `token` and its verbs."""
    token = commands.add_parser("token", help="create, list, revoke tokens")
    verbs = token.add_subparsers(required=True, metavar="VERB")
    create = _verb(verbs, "create", _create, "make a token; it is shown this once")
    create.add_argument("name", type=checked(check_name), help="who holds it")
    create.add_argument("--role", required=True, choices=ROLES, help="what it opens: see docs/access.md")
    create.add_argument(
        "--expires",
        type=_expires,
        metavar="WHEN",
        help="90d, 12h, 4w from now, or a date as 2027-01-31 (default: it does not)",
    )
    create.add_argument("--output", type=Path, help="write it to this new file, which only its owner reads")
    _verb(verbs, "list", _list, "who holds a token, until when, and when it was last used")
    revoke = _verb(verbs, "revoke", _revoke, "let its holder in no more")
    revoke.add_argument("name", type=checked(check_name), help="who holds it")


def until(text: str, *, now: float) -> float:
    """The time that is meant, in seconds since 1970; a date without an offset is in UTC. Raises ValueError."""
    span = re.fullmatch(r"(\d{1,6})([hdw])", text)
    if span is not None:
        at = now + int(span[1]) * UNITS[span[2]]
    else:
        try:
            date = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(
                f"{text!r} is no time: hours, days or weeks, as 12h, 90d, 4w, or a date, as 2027-01-31 or 2027-01-31T18:00"
            ) from None
        at = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    if at <= now:
        raise ValueError(f"{text!r} is not to come: as 90d, 12h, 4w, or a later date")
    return math.floor(at)


def _verb(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]",
    verb: str,
    run: Callable[[argparse.Namespace], int],
    what: str,
) -> argparse.ArgumentParser:
    parser = verbs.add_parser(verb, help=what, description=what)
    add_receiver(parser)
    parser.set_defaults(run=run)
    return parser


def _expires(text: str) -> float:
    try:
        return until(text, now=time.time())
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _create(arguments: argparse.Namespace) -> int:
    must_be_new(arguments.output)
    body = {"name": arguments.name, "role": arguments.role}
    if arguments.expires is not None:
        body["expires_at"] = arguments.expires
    answer = api(arguments).call("POST", "/v1/tokens", body=body)
    if "warning" in answer:
        print(f"wgfleet: warning: {answer['warning']}", file=sys.stderr)
    if arguments.output is not None:
        lost = (
            f"the token was made, but nobody has it: `wgfleet token revoke {arguments.name}`, then try again"
        )
        write_secret(arguments.output, answer.pop("token"), lost=lost)
        print(json.dumps(answer) if arguments.json else f"{arguments.output}")
    else:
        print(json.dumps(answer) if arguments.json else answer["token"])
    return 0


def _list(arguments: argparse.Namespace) -> int:
    held = api(arguments).call("GET", "/v1/tokens")
    if arguments.json:
        print(json.dumps(held))
    else:
        screen().print(_table(held, now=time.time()))
    return 0


def _table(held: Iterable[Mapping[str, Any]], *, now: float) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("name", "role", "created", "expires", "last used"):
        table.add_column(column)
    for token in held:
        expires = token["expires_at"]
        over = expires is not None and expires <= now
        table.add_row(
            token["name"],
            token["role"],
            _time(token["created_at"]),
            f"[red]expired[/] {_time(expires)}" if over else _time(expires, never="never"),
            _time(token["last_used_at"], never="not since the receiver started"),
        )
    return table


def _time(at: float | None, *, never: str = "") -> str:
    return never if at is None else datetime.fromtimestamp(at, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")


def _revoke(arguments: argparse.Namespace) -> int:
    api(arguments).call("DELETE", f"/v1/tokens/{arguments.name}")
    print(
        json.dumps({"revoked": arguments.name}) if arguments.json else f"{arguments.name} is let in no more"
    )
    return 0
