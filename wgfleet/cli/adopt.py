"""`wgfleet worker import`, `wgfleet client import`: a WireGuard setup that runs already, with all its keys and addresses.

The file is read on this machine. Of a private key only the public half leaves it; a preshared key is not even read.
"""

import argparse
import ipaddress
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from wgfleet.cli import show
from wgfleet.cli.asking import api
from wgfleet.cli.commands import (
    add_tunnel_addresses,
    add_worker_options,
    answered,
    checked,
    command,
    put_worker,
    said_of_worker,
)
from wgfleet.names import check_endpoint, check_name
from wgfleet.wgconf import Configuration, ConfiguredPeer, WireguardFileError, parse

LEAST_MTU = 576
"""Bytes; less is not published."""


@dataclass(slots=True)
class Plan:
    """What becomes of each peer of a file."""

    added: list[ConfiguredPeer] = field(default_factory=list)
    there: list[tuple[ConfiguredPeer, str]] = field(default_factory=list)
    """With what is to be said of it."""
    refused: list[tuple[ConfiguredPeer, str]] = field(default_factory=list)


def plan(
    peers: Iterable[ConfiguredPeer],
    clients: Mapping[str, Mapping[str, Any]],
    workers: Mapping[str, Mapping[str, Any]],
    *,
    without_preshared_keys: bool = False,
) -> Plan:
    """What to do with each peer, where these clients and workers are known: doing it twice is as doing it once."""
    made = Plan()
    by_key = {client["public_key"]: name for name, client in clients.items()}
    by_worker = {worker["public_key"]: name for name, worker in workers.items()}
    for peer in peers:
        known = by_key.get(peer.public_key)
        worker = by_worker.get(peer.public_key)
        if worker is not None:
            made.there.append((peer, f"is worker {worker}"))
        elif known is not None:
            made.there.append((peer, _compared(peer, known, clients[known])))
        elif fault := _fault(peer, clients, workers, without_preshared_keys=without_preshared_keys):
            made.refused.append((peer, fault))
        else:
            made.added.append(peer)
    return made


def add_worker_import(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `worker import`."""
    parser = command(verbs, "import", _worker, "add a worker by its WireGuard configuration")
    parser.add_argument("file", type=Path, help="as /etc/wireguard/wg0.conf; its private key stays here")
    parser.add_argument("--name", required=True, type=checked(check_name), help="the worker's name")
    add_worker_options(parser, check=_endpoint)
    add_tunnel_addresses(parser, required=False, otherwise=" (default: its Address)")
    parser.add_argument(
        "--new-key", action="store_true", help="it is known by this name with another key: it begins anew"
    )


def add_client_import(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `client import`."""
    parser = command(verbs, "import", _clients, "add all peers of a server's WireGuard configuration")
    parser.add_argument("file", type=Path, help="as /etc/wireguard/wg0.conf")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument("--again", action="store_true", help="let in those whose keys were revoked, too")
    parser.add_argument(
        "--without-preshared-keys",
        action="store_true",
        help="take peers that have one, too: it will be removed, so remove it on the client as well",
    )


def _endpoint(value: str) -> str:
    """An endpoint, or a host alone."""
    try:
        return check_endpoint(value)
    except ValueError:
        with_port = check_endpoint(_with_port(value, 1))
    return with_port.rpartition(":")[0]


def _with_port(host: str, port: int) -> str:
    try:
        bare = ipaddress.ip_address(host).version == 6
    except ValueError:
        bare = False
    return f"[{host}]:{port}" if bare else f"{host}:{port}"


def _complete(endpoint: str, port: int | None) -> str:
    try:
        return check_endpoint(endpoint)
    except ValueError:
        if port is None:
            raise ValueError(
                f"--endpoint {endpoint} has no port, and the file has no ListenPort: as {endpoint}:51820"
            ) from None
        return check_endpoint(_with_port(endpoint, port))


def _read(path: Path) -> Configuration:
    try:
        return parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: UTF-8 was expected") from None
    except WireguardFileError as error:
        raise ValueError(f"{path}: {error}") from None


def _worker(arguments: argparse.Namespace) -> int:
    interface = _read(arguments.file).interface
    if interface is None:
        raise ValueError(
            f"{arguments.file} has no [Interface] with a PrivateKey: add the worker by `wgfleet worker add`"
        )
    arguments.endpoint = [_complete(endpoint, interface.listen_port) for endpoint in arguments.endpoint]
    arguments.tunnel_address = arguments.tunnel_address or list(interface.addresses)
    if not arguments.tunnel_address:
        raise ValueError(f"{arguments.file} has no Address: say --tunnel-address")
    said = {"public_key": interface.public_key, **said_of_worker(arguments)}
    if interface.mtu is not None and interface.mtu >= LEAST_MTU:
        said.setdefault("mtu", interface.mtu)
    answer = put_worker(api(arguments), arguments.name, said, new_key=arguments.new_key)
    return answered(arguments, answer, show.workers)


def _clients(arguments: argparse.Namespace) -> int:
    peers = _read(arguments.file).peers
    receiver = api(arguments)
    clients = receiver.call("GET", "/v1/clients")["clients"]
    workers = receiver.call("GET", "/v1/workers")["workers"]
    made = plan(peers, clients, workers, without_preshared_keys=arguments.without_preshared_keys)
    query = {"again": "true"} if arguments.again else {}
    if made.added:
        tried = receiver.call("POST", "/v1/clients", body=_bodies(made), only_try="true", **query)
        made = _judged(made, tried)
    if made.added and not arguments.dry_run:
        receiver.call("POST", "/v1/clients", body=_bodies(made), **query)
    answered(arguments, _told(made, dry_run=arguments.dry_run), _table)
    if made.refused:
        print(
            f"wgfleet: {len(made.refused)} of {len(peers)} peers are not imported: see above", file=sys.stderr
        )
    return 1 if made.refused else 0


def _bodies(made: Plan) -> dict[str, Any]:
    return {"clients": [_body(peer) for peer in made.added]}


def _judged(made: Plan, tried: Mapping[str, Any]) -> Plan:
    """Without those that the receiver would refuse, so that one of them keeps nobody else out."""
    faults = {fault["name"]: fault["error"] for fault in tried["faults"]}
    refused = [(peer, faults[peer.name]) for peer in made.added if peer.name in faults]
    added = [peer for peer in made.added if peer.name not in faults]
    return Plan(added, made.there, [*made.refused, *refused])


def _body(peer: ConfiguredPeer) -> dict[str, Any]:
    return {
        "name": peer.name,
        "public_key": peer.public_key,
        "addresses": peer.addresses,
        "networks": peer.networks,
    }


def _compared(peer: ConfiguredPeer, name: str, client: Mapping[str, Any]) -> str:
    if sorted(client["allowed_ips"]) == sorted(peer.allowed_ips):
        return f"is there as {name}"
    words = [f"--address {one}" for one in peer.addresses] + [f"--network {one}" for one in peer.networks]
    change = f"`wgfleet client add {name} --public-key {peer.public_key} {' '.join(words)}` changes it"
    return f"is there as {name}, with {', '.join(client['allowed_ips'])}, which stays so: {change}"


def _fault(
    peer: ConfiguredPeer,
    clients: Mapping[str, Mapping[str, Any]],
    workers: Mapping[str, Mapping[str, Any]],
    *,
    without_preshared_keys: bool,
) -> str:
    """Why it cannot be taken; empty if it can."""
    if peer.name in clients:
        return (
            f"client {peer.name} is there with another key: `wgfleet client add {peer.name} --public-key {peer.public_key} "
            f"--new-key` if it has this one now; else give this peer another name in the comment above line {peer.line}"
        )
    if peer.name in workers:
        return f"the name {peer.name!r} is a worker's: give it another in the comment above line {peer.line}"
    if peer.has_preshared_key and not without_preshared_keys:
        return "has a PresharedKey, which workers would not have: see --without-preshared-keys"
    if not peer.addresses:
        return "has no address of its own in AllowedIPs, with /32 or /128"
    routes = [network for network in peer.networks if network.endswith("/0")]
    if routes:
        return f"would get everything by {routes[0]}: name the networks behind it"
    return ""


def _told(made: Plan, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "added": [_body(peer) for peer in made.added],
        "there": [{**_body(peer), "said": said} for peer, said in made.there],
        "refused": [{**_body(peer), "line": peer.line, "error": why} for peer, why in made.refused],
    }


def _table(told: Mapping[str, Any], console: Console) -> None:
    done = "would be added" if told["dry_run"] else "added"
    rows = [
        *((one, done) for one in told["added"]),
        *((one, one["said"]) for one in told["there"]),
        *((one, f"[red]not imported[/], line {one['line']}: {one['error']}") for one in told["refused"]),
    ]
    show.table(
        console,
        ("client", "public key", "addresses", "networks", ""),
        (
            (one["name"], one["public_key"], ", ".join(one["addresses"]), ", ".join(one["networks"]), said)
            for one, said in rows
        ),
    )
