"""`wgfleet client`: who may use the fleet."""

import argparse
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from wgfleet.cli import adopt, devices, enrol, waiting
from wgfleet.cli.asking import api
from wgfleet.cli.commands import add_client_options, answered, checked, client_body, command
from wgfleet.cli.show import table
from wgfleet.names import check_public_key
from wgfleet.wording import counted


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `client` and its verbs."""
    client = commands.add_parser("client", help="add, import, enrol, list, revoke clients")
    verbs = client.add_subparsers(required=True, metavar="VERB")
    add = command(verbs, "add", _add, "add a client, or change what is said of it", name="client")
    add.add_argument(
        "--public-key",
        type=checked(check_public_key),
        help="as `wg show` prints it; without it, --config and --qr make the key pair here",
    )
    devices.add_options(add)
    add_client_options(add)
    add.add_argument("--new-key", action="store_true", help="it is known by this name with another key")
    add.add_argument("--again", action="store_true", help="its key was revoked; let it in all the same")
    command(verbs, "list", _list, "all clients, and what each said last")
    waiting.add_revoke(verbs)
    enrol.add_client_enrol(verbs)
    adopt.add_client_import(verbs)
    what = "let workers apply a list that removes many clients whom nobody revoked"
    command(verbs, "confirm-removals", _confirm, what)


def _add(arguments: argparse.Namespace) -> int:
    query = {word: "true" for word in ("new_key", "again") if getattr(arguments, word)}
    if devices.wanted(arguments):
        return devices.add(arguments, query, _table)
    body = {"public_key": arguments.public_key, **client_body(arguments)}
    answer = api(arguments).call("PUT", f"/v1/clients/{arguments.name}", body=body, **query)
    return answered(arguments, answer, lambda said, console: _table({said["name"]: said}, console))


def _list(arguments: argparse.Namespace) -> int:
    answer = api(arguments).call("GET", "/v1/clients")
    return answered(arguments, answer, lambda said, console: _table(said["clients"], console))


def _table(clients: Mapping[str, Mapping[str, Any]], console: Console) -> None:
    table(
        console,
        ("client", "public key", "addresses", "networks", "worker", "peer set", "seen"),
        (
            (
                name,
                client["public_key"],
                ", ".join(client["addresses"]),
                ", ".join(client["networks"]),
                *_seen(client["ack"]),
            )
            for name, client in clients.items()
        ),
    )


def _seen(ack: Mapping[str, Any] | None) -> tuple[str, str, str]:
    if ack is None:
        return "", "", "not since the receiver started"
    return (
        ack["active"] or "none",
        f"{ack['epoch']}.{ack['generation']}",
        f"{ack['seen_seconds_ago']:.0f} s ago",
    )


def _confirm(arguments: argparse.Namespace) -> int:
    answer = api(arguments).call("POST", "/v1/client-list/confirm")
    return answered(
        arguments,
        answer,
        lambda said, console: console.print(
            f"client list {said['epoch']}.{said['generation']} confirms {counted(said['clients'], 'client')}: whoever else "
            "workers have had from us goes"
        ),
    )
