"""`wgfleet client enrol`, `worker enrol`, `vantage enrol` and `enrolment`: bundles that let one machine join, once."""

import argparse
import ipaddress
import json
import sys
import urllib.parse
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from wgfleet.cli.api import ApiError
from wgfleet.cli.asking import api
from wgfleet.cli.commands import (
    DESCRIBED,
    add_client_options,
    add_tunnel_addresses,
    add_worker_options,
    answered,
    client_body,
    command,
    missing_of_worker,
    must_be_new,
    said_of_worker,
    worker_body,
    write_secret,
)
from wgfleet.cli.show import table
from wgfleet.names import check_endpoint


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `vantage` and `enrolment`."""
    vantage = commands.add_parser(
        "vantage", help="enrol monitoring hosts that probe workers through their tunnels"
    )
    enrol = command(
        vantage.add_subparsers(required=True, metavar="VERB"),
        "enrol",
        _vantage,
        "make out a bundle with which a monitoring host joins as this vantage: once, within an hour",
        name="vantage",
    )
    enrol.description = (
        "Make out a bundle with which a monitoring host joins as this vantage, once, within an hour. Workers that follow "
        "the client list have it as a peer then; `wgfleet client list` shows it, and `wgfleet client revoke` ends it."
    )
    add_client_options(enrol)
    _add_options(enrol)
    enrolment = commands.add_parser("enrolment", help="list and cancel bundles")
    verbs = enrolment.add_subparsers(required=True, metavar="VERB")
    command(verbs, "list", _list, "bundles that were made out lately")
    command(verbs, "cancel", _cancel, "let nobody use the open bundle of that name", name="machine")


def add_client_enrol(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `client enrol`."""
    what = "make out a bundle with which a machine joins as this client: once, within an hour"
    parser = command(verbs, "enrol", _client, what, name="client")
    add_client_options(parser)
    _add_options(parser)


def add_worker_enrol(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `worker enrol`."""
    what = "make out a bundle with which a machine joins as this worker: once, within an hour"
    parser = command(verbs, "enrol", _worker, what, name="worker")
    parser.description = (
        f"{what[0].upper()}{what[1:]}. A new one needs its endpoint and tunnel address; with --again whatever is left out "
        "stays as it is."
    )
    add_tunnel_addresses(parser, required=False)
    add_worker_options(parser, check=check_endpoint, required=False)
    _add_options(parser)
    parser.set_defaults(parser=parser)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--again", action="store_true", help="it is known: its key and token are replaced at use"
    )
    parser.add_argument("--output", type=Path, help="write it to this new file, which only its owner reads")


def _client(arguments: argparse.Namespace) -> int:
    return _make(arguments, {"role": "client", **client_body(arguments)})


def _vantage(arguments: argparse.Namespace) -> int:
    return _make(arguments, {"role": "vantage", **client_body(arguments)})


def _worker(arguments: argparse.Namespace) -> int:
    said = said_of_worker(arguments)
    if not arguments.again:
        missing = missing_of_worker(said, "endpoints", "tunnel_addresses")
        if missing:
            arguments.parser.error(
                f"{', '.join(missing)}: needed of a new worker; or --again, if it is known"
            )
        return _make(arguments, {"role": "worker", "worker": worker_body(arguments)})
    known = api(arguments).call("GET", "/v1/workers")["workers"].get(arguments.name)
    if known is None or not said:  # All of it stays, whatever it is when the bundle is used.
        return _make(arguments, {"role": "worker"})
    kept = {field: known[field] for field in DESCRIBED}
    return _make(arguments, {"role": "worker", "worker": {**kept, **said}})


def _make(arguments: argparse.Namespace, said: dict[str, Any]) -> int:
    must_be_new(arguments.output)
    body = {
        "name": arguments.name,
        "again": arguments.again,
        "receivers": [arguments.receiver],
        "ca": None if arguments.ca_file is None else _certificate(arguments.ca_file),
        **said,
    }
    answer = api(arguments).call("POST", "/v1/enrolments", body=body)
    _warn(answer["receivers"])
    if arguments.output is not None:
        lost = f"the bundle was made, but nobody has it: `wgfleet enrolment cancel {arguments.name}`, then try again"
        write_secret(arguments.output, answer.pop("bundle"), lost=lost)
    if arguments.json:
        print(json.dumps(answer))
    else:
        print(answer["bundle"] if arguments.output is None else arguments.output)
    print(
        f"wgfleet: it works once, before {_time(answer['expires_at'])} UTC, and whoever has it joins",
        file=sys.stderr,
    )
    return 0


def _certificate(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        raise ApiError(
            f"{path} cannot be read: --ca-file names the certificate of the receiver's authority"
        ) from None


def _warn(receivers: Iterable[str]) -> None:
    """A bundle is for another machine."""
    own = [url for url in receivers if _is_own(url)]
    if own:
        print(
            f"wgfleet: warning: the bundle says {own[0]}, which other machines do not reach: set public_urls in "
            "receiver.toml, or give --receiver as they reach it",
            file=sys.stderr,
        )


def _is_own(url: str) -> bool:
    host = urllib.parse.urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _list(arguments: argparse.Namespace) -> int:
    return answered(arguments, api(arguments).call("GET", "/v1/enrolments"), _table)


def _table(made: Iterable[Mapping[str, Any]], console: Console) -> None:
    table(
        console,
        ("name", "role", "state", "made by", "made", "expires", "used"),
        (
            (
                one["name"],
                one["role"] + (", again" if one["again"] else ""),
                one["state"],
                one["made_by"],
                _time(one["made_at"]),
                _time(one["expires_at"]),
                "" if one["used_at"] is None else _time(one["used_at"]),
            )
            for one in made
        ),
    )


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")


def _cancel(arguments: argparse.Namespace) -> int:
    api(arguments).call("DELETE", f"/v1/enrolments/{arguments.name}")
    print(
        json.dumps({"cancelled": arguments.name})
        if arguments.json
        else f"nobody joins as {arguments.name} by its bundle"
    )
    return 0
