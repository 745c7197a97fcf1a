"""Commands that wait until the fleet has done what was asked: `worker drain --wait`, `client revoke --wait`.

They say on stderr who remains, each time that changes. In vain, they end with 4: what was asked for holds all the same.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from wgfleet.cli import show
from wgfleet.cli.api import Api
from wgfleet.cli.asking import api
from wgfleet.cli.commands import answered, command

IN_VAIN = 4
"""Exit code."""

POLL_SECONDS = 0.5
DRAIN_SECONDS = 600.0
"""Clients leave without haste, and one is forgotten 150 s after it was heard last."""
REVOKE_SECONDS = 60.0
"""Workers follow the list; one that does not within a minute is away."""
NAMED = 5
"""So many are named; the rest is a number."""

Look = Callable[[], str]
"""Says what remains; empty: nothing."""


def add_drain(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `worker drain`."""
    drain = command(verbs, "drain", _drain, "move clients away, without haste", name="worker")
    _add_wait(drain, DRAIN_SECONDS, "until no client that was heard lately uses it, or has connections on it")


def add_revoke(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `client revoke`."""
    revoke = command(
        verbs, "revoke", _revoke, "take away its token and its key: every worker forgets it", name="client"
    )
    _add_wait(revoke, REVOKE_SECONDS, "until every worker has forgotten it")


def until_done(
    look: Look,
    *,
    timeout: float,
    say: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Look until nothing remains, or the time is over; returns what remains. Each change is said."""
    end = clock() + timeout
    said = ""
    while remains := look():
        if remains != said:
            say(remains)
            said = remains
        if clock() >= end:
            return remains
        sleep(min(POLL_SECONDS, max(0.0, end - clock())))
    return ""


def named(names: list[str]) -> str:
    """How many, and a few of them by name."""
    more = len(names) - NAMED
    return f"{len(names)} ({', '.join(names[:NAMED])}{f' and {more} more' if more > 0 else ''})"


def _add_wait(parser: argparse.ArgumentParser, seconds: float, what: str) -> None:
    parser.add_argument("--wait", action="store_true", help=f"{what}; in vain it ends with {IN_VAIN}")
    parser.add_argument("--timeout", type=_seconds, metavar="SECONDS",
                        help=f"with --wait: no longer than this (default: {seconds:g})")  # fmt: skip
    parser.set_defaults(parser=parser)


def _patience(arguments: argparse.Namespace, usual: float) -> float:
    """Seconds to wait. Ends the command if they are said and nothing is waited for."""
    if arguments.timeout is None:
        return usual
    if not arguments.wait:
        arguments.parser.error("--timeout belongs to --wait: without it nothing is waited for")
    return float(arguments.timeout)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is no time to wait: seconds, from 0 to 86400")
    return seconds


def _drain(arguments: argparse.Namespace) -> int:
    receiver, timeout = api(arguments), _patience(arguments, DRAIN_SECONDS)
    answer = receiver.call("PUT", f"/v1/workers/{arguments.name}/drain")
    show.warn_if_unseen(arguments.name, answer)
    show.warn_if_nobody_serves(answer)
    if not arguments.wait:
        return answered(arguments, answer, show.workers)
    remains = until_done(lambda: _using(receiver, arguments.name, answer), timeout=timeout, say=_say)
    if not remains:
        _say(
            f"{arguments.name} is empty: no client that was heard lately uses it. Devices without the daemon are not "
            "seen here: `wg show` on the worker tells their handshakes"
        )
    return _ended(arguments, answer, remains, f"{arguments.name} is not empty; it stays draining")


def _using(receiver: Api, name: str, drained: dict[str, Any]) -> str:
    number = {"epoch": drained["epoch"], "generation": drained["generation"]}
    left = receiver.call("GET", f"/v1/workers/{name}/clients", **number)
    parts = []
    if left["using"]:
        parts.append(f"clients on {name}: {named(left['using'])}")
    if left["connections"]:
        parts.append(f"connections left on {name}: {_connections(left['connections'])}")
    if left["behind"]:
        parts.append(f"clients that have not heard of it yet: {named(left['behind'])}")
    if not parts and left["sure_in"] > 0:
        parts.append(
            "the receiver started a short while ago: waiting for clients that it may not have heard yet"
        )
    return "; ".join(parts)


def _connections(left: dict[str, int | None]) -> str:
    counted = [count for count in left.values() if count is not None]
    known = (
        []
        if not counted
        else [f"{sum(counted)} of clients {named([n for n, c in left.items() if c is not None])}"]
    )
    unknown = [name for name, count in left.items() if count is None]
    return ", ".join(known + ([f"an unknown number of clients {named(unknown)}"] if unknown else []))


def _revoke(arguments: argparse.Namespace) -> int:
    receiver, timeout = api(arguments), _patience(arguments, REVOKE_SECONDS)
    answer = receiver.call("DELETE", f"/v1/clients/{arguments.name}")
    if not arguments.wait:
        return _ended(arguments, answer, "", "")
    remains = until_done(lambda: _remembering(receiver, answer), timeout=timeout, say=_say)
    return _ended(arguments, answer, remains, f"{arguments.name} is revoked, but not everywhere yet")


def _remembering(receiver: Api, number: dict[str, Any]) -> str:
    path = "/v1/client-list/behind"
    left = receiver.call("GET", path, epoch=number["epoch"], generation=number["generation"])["behind"]
    return f"workers that have not forgotten it yet: {named(sorted(left))}" if left else ""


def _ended(arguments: argparse.Namespace, answer: dict[str, Any], remains: str, in_vain: str) -> int:
    if arguments.json:
        print(json.dumps({**answer, "remains": remains} if arguments.wait else answer))
    elif not remains and "public_key" in answer:
        print(f"{arguments.name} is revoked, by client list {answer['epoch']}.{answer['generation']}")
    if remains:
        _say(f"{in_vain}: {remains}")
        return IN_VAIN
    return 0


def _say(text: str) -> None:
    print(f"wgfleet: {text}", file=sys.stderr, flush=True)
