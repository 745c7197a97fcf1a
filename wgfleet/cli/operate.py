"""The operator's commands: each one call to the receiver, or a few."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console

from wgfleet.cli import show
from wgfleet.cli.asking import add_receiver, api
from wgfleet.jws import key_id, read_key
from wgfleet.names import check_address, check_endpoint, check_name, check_prefix, check_public_key

WATCH_SECONDS = 1.0
USABLE = ("serving", "suspect")
Run = Callable[[argparse.Namespace], int]


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add all of them."""
    status = _command(commands, "status", _status, "who serves, why, and whether monitoring is live")
    status.add_argument("--watch", action="store_true", help="again every second, until Ctrl-C")

    _worker_parsers(commands)

    events = _command(commands, "events", _events, "what was decided, by whom and why")
    events.add_argument("--limit", type=int, default=50, help="so many of the newest (default: %(default)s)")
    _command(commands, "signing-key", _signing_key, "the public key that clients pin (trusted_keys)")


def _worker_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    worker = commands.add_parser("worker", help="add, list, drain, admit, ban, remove workers")
    verbs = worker.add_subparsers(required=True, metavar="VERB")
    add = _command(verbs, "add", _worker_add, "add a worker, or change what is said of it", name="worker")
    add.add_argument(
        "--public-key", required=True, type=_checked(check_public_key), help="as `wg show` prints it"
    )
    add.add_argument("--endpoint", required=True, action="append", type=_checked(check_endpoint),
                     help="host:port that clients reach; repeat for more, best first")  # fmt: skip
    add.add_argument("--tunnel-address", required=True, action="append", type=_checked(check_address),
                     help="the worker's own address inside the tunnel; it must answer pings there")  # fmt: skip
    add.add_argument("--allowed-ips", action="append", type=_checked(check_prefix),
                     help="network that clients reach through it; repeat for more (default: 0.0.0.0/0)")  # fmt: skip
    add.add_argument(
        "--new-key", action="store_true", help="it is known by this name with another key: it begins anew"
    )
    add.add_argument("--weight", type=int, default=100, help="share of the clients (default: %(default)s)")
    add.add_argument(
        "--priority", type=int, default=0, help="for clients with policy priority: lower is preferred"
    )
    add.add_argument("--region", default="", help="where it is, for people")
    add.add_argument("--keepalive", type=int, default=25, help="seconds (default: %(default)s)")
    add.add_argument(
        "--exporter-port", type=int, default=9586, help="of wgfleet-exporter (default: %(default)s)"
    )
    _command(verbs, "list", _worker_list, "what is said of the workers")
    for verb, method, path, what in (
        ("drain", "PUT", "/drain", "move clients away, without haste"),
        ("undrain", "DELETE", "/drain", "let it serve again"),
        ("ban", "PUT", "/ban", "bar it for good: clients never use it, even if it is the last"),
        ("unban", "DELETE", "/ban", "lift a ban"),
        ("remove", "DELETE", "", "forget it: clients drop it"),
    ):
        _command(verbs, verb, _worker_verb(method, path), what, name="worker")
    admit = _command(
        verbs, "admit", _worker_admit, "let it in now, without waiting for an alert", name="worker"
    )
    admit.add_argument("--force", action="store_true", help="also against an alert that fires")


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    verb: str,
    run: Run,
    what: str,
    *,
    name: str | None = None,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(verb, help=what, description=what)
    if name is not None:
        parser.add_argument("name", type=_checked(check_name), help=f"the {name}'s name")
    add_receiver(parser)
    parser.set_defaults(run=run)
    return parser


def _checked(check: Callable[[str], str]) -> Callable[[str], str]:
    def checked(value: str) -> str:
        try:
            return check(value)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return checked


def _show(arguments: argparse.Namespace, answer: Any, table: Callable[[Any, Console], None]) -> int:
    if arguments.json:
        print(json.dumps(answer))
    else:
        table(answer, Console())
    return 0


def _status(arguments: argparse.Namespace) -> int:
    receiver = api(arguments)
    while True:
        health = receiver.call("GET", "/health")
        if arguments.watch and not arguments.json:
            Console().clear()
        _show(arguments, health, show.status)
        if not arguments.watch:
            return 0 if health["monitoring"] == "live" else 3
        time.sleep(WATCH_SECONDS)


def _worker_add(arguments: argparse.Namespace) -> int:
    body = {
        "public_key": arguments.public_key,
        "endpoints": arguments.endpoint,
        "tunnel_addresses": arguments.tunnel_address,
        "allowed_ips": arguments.allowed_ips or ["0.0.0.0/0"],
        "weight": arguments.weight,
        "priority": arguments.priority,
        "region": arguments.region,
        "keepalive": arguments.keepalive,
        "exporter_port": arguments.exporter_port,
    }
    query = {"new_key": "true"} if arguments.new_key else {}
    answer = api(arguments).call("PUT", f"/v1/workers/{arguments.name}", body=body, **query)
    return _show(arguments, answer, show.workers)


def _worker_list(arguments: argparse.Namespace) -> int:
    return _show(arguments, api(arguments).call("GET", "/v1/workers"), show.workers)


def _worker_verb(method: str, path: str) -> Run:
    def run(arguments: argparse.Namespace) -> int:
        answer = api(arguments).call(method, f"/v1/workers/{arguments.name}{path}")
        if not any(worker["state"] in USABLE for worker in answer["workers"].values()):
            print("wgfleet: warning: no worker serves now", file=sys.stderr)
        return _show(arguments, answer, show.workers)

    return run


def _worker_admit(arguments: argparse.Namespace) -> int:
    body = {"force": arguments.force}
    answer = api(arguments).call("POST", f"/v1/workers/{arguments.name}/admit", body=body)
    return _show(arguments, answer, show.workers)


def _events(arguments: argparse.Namespace) -> int:
    return _show(arguments, api(arguments).call("GET", "/v1/events", limit=arguments.limit), show.events)


def _signing_key(arguments: argparse.Namespace) -> int:
    answer = api(arguments).call("GET", "/v1/signing-key")
    name = key_id(read_key(answer["public_key"]))
    if arguments.json:
        print(json.dumps({**answer, "key_id": name}))
        return 0
    print(answer["public_key"])
    print(
        f"It signs for fleet {answer['fleet']}; logs name it {name}.", file=sys.stderr
    )  # Not for trusted_keys.
    return 0
