"""`wgfleet client add --config/--qr`: devices without the daemon, such as phones and routers.

Their key pair is made here, by this command. The private key leaves this machine only in what is printed or written for the
device: the receiver is told the public half, and nothing else keeps the other.
"""

import argparse
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from wgfleet.cli.api import ApiError
from wgfleet.cli.asking import api
from wgfleet.cli.commands import checked, client_body, must_be_new, screen, write_secret
from wgfleet.keypair import new_key_pair
from wgfleet.names import check_name
from wgfleet.peerset import PublishedWorker, WorkerState
from wgfleet.quick import NoWorkerError, configuration, leaks_ipv6, plain, worker_for

STDOUT = Path("-")
ABOUT = """\
a device without the daemon (a phone, a router):

  wgfleet client add phone1 --qr                     # scan it with WireGuard's app
  wgfleet client add router1 --config router1.conf   # for wg-quick, or to import elsewhere

makes the key pair here. The private key leaves this machine only in that file or picture; the receiver is told the
public half. Whoever has the file is the device: carry it over, then delete it.

Such a device uses one worker and does not fail over, because WireGuard gives a network to one peer at a time. When its
worker is gone for longer, make it another file: `wgfleet client add phone1 --new-key --worker OTHER --qr`.
Machines that can run wgfleet-sync should: `wgfleet client enrol`.
"""
NO_KEY = "--public-key is missing; or --config or --qr, which make a key pair"
NO_WORKER = "--worker belongs to --config or --qr: other clients choose themselves"
NO_QR = "--qr needs the private key, which this command has only if it makes it: leave out --public-key, or use --config"
NO_JSON = "--json prints no private key: use --config FILE"

Table = Callable[[Mapping[str, Mapping[str, Any]], Console], None]


def add_options(add: argparse.ArgumentParser) -> None:
    """Add what is wanted for the device."""
    add.epilog = ABOUT
    add.formatter_class = argparse.RawDescriptionHelpFormatter
    add.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="write the device's configuration to this new file, which only its owner reads; - prints it",
    )
    add.add_argument("--qr", action="store_true", help="draw it as a QR code in this terminal")
    add.add_argument(
        "--worker",
        type=checked(check_name),
        metavar="WORKER",
        help="the device's one worker (default: its name spreads devices over those that serve)",
    )
    add.set_defaults(parser=add)


def wanted(arguments: argparse.Namespace) -> bool:
    """Whether a configuration is to be made. Ends the command if what was asked for cannot be."""
    making = arguments.qr or arguments.config is not None
    for wrong, why in (
        (not making and arguments.public_key is None, NO_KEY),
        (not making and arguments.worker is not None, NO_WORKER),
        (arguments.qr and arguments.public_key is not None, NO_QR),
        (arguments.json and (arguments.qr or arguments.config == STDOUT), NO_JSON),
    ):
        if wrong:
            arguments.parser.error(why)
    return bool(making)


def add(arguments: argparse.Namespace, query: Mapping[str, str], table: Table) -> int:
    """Add the client, and make its configuration."""
    file = None if arguments.config in (None, STDOUT) else arguments.config
    must_be_new(file)
    receiver = api(arguments)
    try:
        worker = worker_for(arguments.name, receiver.peer_set(), arguments.worker)
    except NoWorkerError as error:
        raise ApiError(str(error)) from None
    pair = None if arguments.public_key is not None else new_key_pair()
    public_key = arguments.public_key if pair is None else pair.public
    body = {"public_key": public_key, **client_body(arguments)}
    answer = receiver.call("PUT", f"/v1/clients/{arguments.name}", body=body, **query)
    text = configuration(
        worker,
        addresses=answer["addresses"],
        key="# PrivateKey = the device's own" if pair is None else f"PrivateKey = {pair.private}",
        comments=(
            f"{arguments.name}, through {worker.name}. It does not fail over to another worker by itself.",
        ),
    )
    if file is not None:
        lost = f"{arguments.name} was added, but nobody has its private key: try again with --new-key"
        write_secret(file, text.rstrip("\n"), lost=lost)
    _show(arguments, text, {**answer, "worker": worker.name}, table)
    for line in _to_know(arguments, worker, made=pair is not None):
        print(f"wgfleet: {line}", file=sys.stderr)
    return 0


def drawn(text: str) -> str:
    """A QR code of it, for a terminal."""
    import segno  # noqa: PLC0415  # The other commands need not wait for it.

    out = io.StringIO()
    segno.make_qr(plain(text), error="l").terminal(out=out, compact=True)
    return out.getvalue()


def _show(arguments: argparse.Namespace, text: str, answer: Mapping[str, Any], table: Table) -> None:
    if arguments.json:
        print(json.dumps({**answer, "config": str(arguments.config)}))
    elif arguments.config == STDOUT:
        print(text, end="")
    elif not arguments.qr:
        table({answer["name"]: answer}, screen())
    if arguments.qr:
        print(drawn(text), end="")


def _to_know(arguments: argparse.Namespace, worker: PublishedWorker, *, made: bool) -> Iterator[str]:
    name = arguments.name
    if made:
        yield f"{name}'s private key was made here and is kept nowhere: whoever has this configuration is {name}"
    else:
        yield f"put {name}'s own private key into it: this command does not know it"
    yield (
        f"{name} uses {worker.name} alone and does not fail over: if {worker.name} is gone for longer, make another with "
        "--new-key --worker OTHER. Nor does it notice a drain, or tell anybody what it uses"
    )
    if worker.state is not WorkerState.SERVING:
        yield f"warning: {worker.name} is {worker.state} ({worker.reason}) at present"
    if leaks_ipv6(worker):
        yield f"warning: {worker.name} carries no IPv6: the device's IPv6 traffic goes outside the tunnel"
