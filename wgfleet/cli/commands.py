"""What the operator's commands have in common: their options, and how they answer."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from wgfleet.cli.api import Api, ApiError
from wgfleet.cli.asking import add_receiver
from wgfleet.files import write_whole
from wgfleet.names import check_address, check_endpoint, check_name, check_prefix

Run = Callable[[argparse.Namespace], int]

PIPE_WIDTH = 10_000
"""Characters; no row has as many."""
EVERYTHING = "0.0.0.0/0"
"""What clients reach through a worker of which nothing else is said."""
NONE = "none"
"""Takes away what was said before."""
NEEDED = {"public_key": "--public-key", "endpoints": "--endpoint", "tunnel_addresses": "--tunnel-address"}
"""What must be said of a new worker."""
DESCRIBED = {
    "endpoints": "endpoint",
    "tunnel_addresses": "tunnel_address",
    "allowed_ips": "allowed_ips",
    "weight": "weight",
    "priority": "priority",
    "region": "region",
    "keepalive": "keepalive",
    "exporter_port": "exporter_port",
    "mtu": "mtu",
    "dns": "dns",
}
"""What is said of a worker beside its key: as the receiver calls it, and as argparse does."""


def command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    verb: str,
    run: Run,
    what: str,
    *,
    name: str | None = None,
) -> argparse.ArgumentParser:
    """Add a command that asks the receiver, and takes what it is about."""
    parser = commands.add_parser(verb, help=what, description=what)
    if name is not None:
        parser.add_argument("name", type=checked(check_name), help=f"the {name}'s name")
    add_receiver(parser)
    parser.set_defaults(run=run)
    return parser


def checked(check: Callable[[str], str]) -> Callable[[str], str]:
    """A type of argparse's that says what would be right."""

    def checked_value(value: str) -> str:
        try:
            return check(value)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return checked_value


def answered(arguments: argparse.Namespace, answer: Any, table: Callable[[Any, Console], None]) -> int:
    """Print an answer for programs, or for people."""
    if arguments.json:
        print(json.dumps(answer))
    else:
        table(answer, screen())
    return 0


def screen() -> Console:
    """Where tables are printed. A pipe has no width: what is cut off there, nobody can widen the window for."""
    as_it_is = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console() if as_it_is else Console(width=PIPE_WIDTH)


def add_worker_options(
    parser: argparse.ArgumentParser, *, check: Callable[[str], str] = check_endpoint, required: bool = True
) -> None:
    """What is said of a worker beside its key and tunnel addresses. What was not said is None."""
    add = parser.add_argument
    add("--endpoint", required=required, action="append", type=checked(check),
        help="host:port that clients reach; repeat for more, best first")  # fmt: skip
    add("--allowed-ips", action="append", type=checked(check_prefix),
        help=f"network that clients reach through it; repeat for more (default: {EVERYTHING})")  # fmt: skip
    add("--weight", type=int, help="share of the clients (default: 100)")
    add("--priority", type=int, help="for clients with policy priority: lower is preferred (default: 0)")
    add("--region", help="where it is, for people")
    add("--keepalive", type=int, help="seconds (default: 25)")
    add(
        "--mtu",
        type=_unless_none(int),
        metavar="BYTES",
        help="of clients' interfaces; none: they choose (default)",
    )
    add("--dns", action="append", type=_unless_none(checked(check_address)), metavar="ADDRESS",
        help="name server that clients use through it; repeat for more; none: no (default)")  # fmt: skip
    add("--exporter-port", type=int, help="of wgfleet-exporter (default: 9586)")


def add_tunnel_addresses(parser: argparse.ArgumentParser, *, required: bool, otherwise: str = "") -> None:
    """A worker's own addresses."""
    parser.add_argument("--tunnel-address", required=required, action="append", type=checked(check_address),
                        help=f"the worker's own address inside the tunnel; it must answer pings there{otherwise}")  # fmt: skip


def said_of_worker(arguments: argparse.Namespace) -> dict[str, Any]:
    """The same as the receiver takes it; what was not said is left out."""
    said = {field: getattr(arguments, option) for field, option in DESCRIBED.items()}
    said = {field: value for field, value in said.items() if value is not None}
    if said.get("mtu") == NONE:
        said["mtu"] = None
    if NONE in said.get("dns", ()):
        said["dns"] = [address for address in said["dns"] if address != NONE]
    return said


def worker_body(arguments: argparse.Namespace) -> dict[str, Any]:
    """A whole worker; for the rest of what was not said the receiver knows what is usual."""
    return {"allowed_ips": [EVERYTHING], **said_of_worker(arguments)}


def missing_of_worker(said: Mapping[str, Any], *fields: str) -> list[str]:
    """The options of these fields of a new worker that were not said."""
    return [NEEDED[field] for field in fields if field not in said]


def put_worker(receiver: Api, name: str, said: Mapping[str, Any], *, new_key: bool) -> Any:
    """Add a worker, or change one that is known, which keeps what is not said. Raises ApiError."""
    query = {"new_key": "true"} if new_key else {}
    path = f"/v1/workers/{name}"
    if name in receiver.call("GET", "/v1/workers")["workers"]:
        return receiver.call("PATCH", path, body=said, **query)
    missing = missing_of_worker(said, *NEEDED)
    if missing:
        raise ApiError(f"there is no worker {name}: to add it, say {', '.join(missing)} as well")
    return receiver.call("PUT", path, body={"allowed_ips": [EVERYTHING], **said}, **query)


def _unless_none(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    def value(text: str) -> Any:
        return NONE if text == NONE else kind(text)

    value.__name__ = getattr(kind, "__name__", "value")  # argparse names it in its error.
    return value


def add_client_options(parser: argparse.ArgumentParser) -> None:
    """What is said of a client beside its key."""
    parser.add_argument("--address", action="append", type=checked(check_address),
                        help="its own address inside the tunnel; repeat for more (default: from client_pools)")  # fmt: skip
    parser.add_argument("--network", action="append", type=checked(check_prefix),
                        help="network behind it that workers send to it; repeat for more")  # fmt: skip


def client_body(arguments: argparse.Namespace) -> dict[str, Any]:
    """The same as the receiver takes it; what was not said is left out."""
    said = {"addresses": arguments.address, "networks": arguments.network}
    return {key: value for key, value in said.items() if value is not None}


def must_be_new(output: Path | None) -> None:
    """Raise ApiError before anything is made that could not be written there."""
    if output is None:
        return
    if output.exists():
        raise ApiError(f"{output} is already there: name a new file, or remove it")
    if not output.parent.is_dir():
        raise ApiError(f"{output.parent} is no folder: make it first, or name a file elsewhere")


def write_secret(output: Path, secret: str, *, lost: str) -> None:
    """Write a secret to a file that only its owner reads. Raises ApiError, which says how to undo what nobody has now."""
    try:
        write_whole(output, secret.encode() + b"\n")
    except OSError as error:
        raise ApiError(f"{output} cannot be written: {error.strerror}; {lost}") from None
