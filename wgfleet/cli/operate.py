"""The operator's commands: each one call to the receiver, or a few."""

import argparse
import json
import sys
import time

from rich.console import Console

from wgfleet.cli import adopt, enrol, show, waiting
from wgfleet.cli.api import ApiError
from wgfleet.cli.asking import api
from wgfleet.cli.commands import (
    Run,
    add_tunnel_addresses,
    add_worker_options,
    answered,
    checked,
    command,
    put_worker,
    said_of_worker,
)
from wgfleet.jws import key_id, read_key
from wgfleet.names import check_public_key

WATCH_SECONDS = 1.0


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add all of them."""
    status = command(commands, "status", _status, "who serves, why, and whether monitoring is live")
    status.add_argument("--watch", action="store_true", help="again every second, until Ctrl-C")

    _worker_parsers(commands)

    events = command(commands, "events", _events, "what was decided, by whom and why")
    events.add_argument("--limit", type=int, default=50, help="so many of the newest (default: %(default)s)")
    command(commands, "signing-key", _signing_key, "the public key that clients pin (trusted_keys)")


def _worker_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    worker = commands.add_parser("worker", help="add, import, enrol, list, drain, admit, ban, remove workers")
    verbs = worker.add_subparsers(required=True, metavar="VERB")
    add = command(verbs, "add", _worker_add, "add a worker, or change what is said of it", name="worker")
    add.description = (
        "Add a worker: say its key, an endpoint and a tunnel address. Or change what is said of one that is known: "
        "whatever is left out stays as it is; what may be repeated is replaced as a whole."
    )
    add.add_argument("--public-key", type=checked(check_public_key), help="as `wg show` prints it")
    add_tunnel_addresses(add, required=False)
    add_worker_options(add, required=False)
    add.add_argument(
        "--new-key", action="store_true", help="it is known by this name with another key: it begins anew"
    )
    add.set_defaults(parser=add)
    command(verbs, "list", _worker_list, "what is said of the workers")
    for verb, method, path, what in (
        ("undrain", "DELETE", "/drain", "let it serve again"),
        ("ban", "PUT", "/ban", "bar it for good: clients never use it, even if it is the last"),
        ("unban", "DELETE", "/ban", "lift a ban"),
        ("remove", "DELETE", "", "forget it and its token: clients drop it"),
    ):
        command(verbs, verb, _worker_verb(method, path), what, name="worker")
    admit = command(
        verbs,
        "admit",
        _worker_admit,
        "let it in now, without waiting for an alert; a drain stays until `undrain`",
        name="worker",
    )
    admit.add_argument(
        "--force",
        action="store_true",
        help="also against an alert that fires; lifts neither a drain nor a ban",
    )
    waiting.add_drain(verbs)
    adopt.add_worker_import(verbs)
    enrol.add_worker_enrol(verbs)


def _status(arguments: argparse.Namespace) -> int:
    receiver = api(arguments)
    if not arguments.watch:
        health = receiver.call("GET", "/health")
        answered(arguments, health, show.status)
        return 0 if health["monitoring"] == "live" else 3
    while True:  # Until Ctrl-C: a receiver that is away for a moment is what one watches for.
        try:
            health = receiver.call("GET", "/health")
        except ApiError as error:
            print(f"wgfleet: {error}", file=sys.stderr, flush=True)
        else:
            if not arguments.json:
                Console().clear()
            answered(arguments, health, show.status)
        time.sleep(WATCH_SECONDS)


def _worker_add(arguments: argparse.Namespace) -> int:
    key = {} if arguments.public_key is None else {"public_key": arguments.public_key}
    if arguments.new_key and not key:
        arguments.parser.error("--new-key belongs to --public-key: say the new one")
    said = {**key, **said_of_worker(arguments)}
    answer = put_worker(api(arguments), arguments.name, said, new_key=arguments.new_key)
    return answered(arguments, answer, show.workers)


def _worker_list(arguments: argparse.Namespace) -> int:
    return answered(arguments, api(arguments).call("GET", "/v1/workers"), show.workers)


def _worker_verb(method: str, path: str) -> Run:
    def run(arguments: argparse.Namespace) -> int:
        answer = api(arguments).call(method, f"/v1/workers/{arguments.name}{path}")
        show.warn_if_nobody_serves(answer)
        return answered(arguments, answer, show.workers)

    return run


def _worker_admit(arguments: argparse.Namespace) -> int:
    body = {"force": arguments.force}
    answer = api(arguments).call("POST", f"/v1/workers/{arguments.name}/admit", body=body)
    show.warn_if_drained(arguments.name, answer)
    return answered(arguments, answer, show.workers)


def _events(arguments: argparse.Namespace) -> int:
    return answered(arguments, api(arguments).call("GET", "/v1/events", limit=arguments.limit), show.events)


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
