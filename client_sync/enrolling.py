"""`wgfleet-sync enroll`: this machine joins a fleet by its bundle.

A bundle works once. So everything else that can fail is done first: the interface and its key, the files, the authority.
Then the bundle is used, and the files are put where they belong. Nothing that was there is lost without --force. An
interface is never made here: that is the daemon's, which finds in its configuration what it takes.
"""

import argparse
import asyncio
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from client_sync import carrying
from client_sync.addresses import BOOK, AddressBook
from client_sync.config import Config, ConfigurationError, LayoutKind, Role, load
from client_sync.control import marked_client
from client_sync.joining import EnrolmentError, Joined, join
from client_sync.keying import Footing, Key, footing, own_key
from client_sync.staging import Staged
from wgfleet.bundle import PREFIX, Bundle, BundleError
from wgfleet.names import check_interface

DIRECTORY = Path("/etc/wgfleet")
TOKEN_ROOM = b"\n" * 256
"""What is reserved on the disk for the token, which is only known when the bundle is used."""
ADDRESSES_ROOM = b"\n" * 1024
"""Likewise for the addresses,"""
PLACEHOLDER = ("192.0.2.1",)
"""which are these until then."""
CONFIGURATION, TOKEN, AUTHORITY = "sync.toml", "token", "ca.pem"
BEFORE = "sync.toml.before"
"""The earlier configuration, where there was one."""


def add_to(commands: Any) -> None:
    """Add the command to an argparse parser's subcommands."""
    does = "join a fleet by a bundle"
    command = commands.add_parser(
        "enroll",
        help=does,
        description="Joins a fleet by a bundle, as a client, a worker or a vantage: what it was made for. A client without the "
        "interface needs none: the daemon makes it when it starts. An interface that is there is used with the key it "
        "has. A private key that is missing is made here and never leaves this machine.",
    )
    command.add_argument("bundle", help="the file with the bundle; - reads it from standard input")
    command.add_argument(
        "--interface",
        type=checked_interface,
        help="one that is there, or of a client that the daemon shall make (default: wg0); with --layout per-worker what "
        "the interfaces' names begin with (default: wg)",
    )
    command.add_argument(
        "--layout",
        choices=[*LayoutKind],
        help="of a client: one interface, or one for each worker, which the daemon makes (default: single)",
    )
    command.add_argument(
        "--directory", type=Path, default=DIRECTORY, help="where the files are written (default: %(default)s)"
    )
    command.add_argument(
        "--state-directory",
        type=Path,
        default=Config.__dataclass_fields__["state_directory"].default,
        help="where the daemon will keep what it needs (default: %(default)s)",
    )
    command.add_argument(
        "--force",
        action="store_true",
        help="replace the files of an earlier enrolment, once this one is done; what was added to sync.toml stays in it",
    )
    command.set_defaults(run=enrol)


def checked_interface(value: str) -> str:
    """As argparse wants it."""
    try:
        return check_interface(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def enrol(arguments: argparse.Namespace) -> int:
    """Join; return the exit status."""
    bundle = read_bundle(arguments.bundle)
    directory, state_directory = arguments.directory.absolute(), arguments.state_directory.absolute()
    stands = footing(bundle.role, arguments.interface, arguments.layout, directory)
    for folder in (directory, state_directory):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    names = [CONFIGURATION, TOKEN] + ([AUTHORITY] if bundle.ca else [])
    there = [str(directory / name) for name in names if (directory / name).exists()]
    if there and not arguments.force:
        raise EnrolmentError(
            f"{', '.join(there)}: there already, and the bundle was not used. With --force they are replaced"
        )

    earlier = _read(directory / CONFIGURATION)
    kept = carrying.added(earlier, bundle.role)

    def said(addresses: tuple[str, ...]) -> bytes:
        return configuration(bundle, stands, state_directory, addresses, kept).encode()

    with Staged(directory) as files:
        if earlier:
            files.write(BEFORE, earlier)
        authority = None if bundle.ca is None else files.write(AUTHORITY, bundle.ca.encode())
        files.write(TOKEN, TOKEN_ROOM)
        _check(files.write(CONFIGURATION, said(PLACEHOLDER) + ADDRESSES_ROOM), kept)
        key = own_key(stands, directory)
        joined = asyncio.run(_join(bundle, key, authority, state_directory))
        try:
            files.write(TOKEN, f"{joined.token}\n".encode())
            files.write(CONFIGURATION, said(_addresses(stands, joined)))
            files.put()
        except OSError as error:
            raise EnrolmentError(
                f"the bundle is used, but the files could not be written: {error}. Mend that, have a new bundle made "
                "with --again, and enroll with --force"
            ) from None
    sys.stdout.write(
        told(bundle, stands, key, joined, [str(directory / name) for name in names], kept=kept) + "\n"
    )
    return 0


def _read(file: Path) -> bytes:
    return file.read_bytes() if file.exists() else b""


def read_bundle(where: str) -> Bundle:
    """The bundle in a file, or from standard input. Raises EnrolmentError, BundleError."""
    if where.startswith(PREFIX.partition(".")[0][:-1]):
        raise EnrolmentError(
            "that is the bundle itself, which every user of this machine sees on a command line: have it cancelled "
            "(`wgfleet enrolment cancel`) and another made, and give that one in a file, or - and standard input"
        )
    try:
        text = sys.stdin.read() if where == "-" else Path(where).read_text()
    except OSError as error:
        raise EnrolmentError(f"{where} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BundleError(f"{where} holds no text, and so no bundle") from None
    return Bundle.from_text(text)


def configuration(
    bundle: Bundle,
    stands: Footing,
    state_directory: Path,
    addresses: tuple[str, ...],
    kept: Mapping[str, Any],
) -> str:
    """The text of sync.toml; `kept` is what an operator had added to an earlier one."""
    said: dict[str, object] = {
        "fleet": bundle.fleet,
        "name": bundle.name,
        "role": bundle.role,
        "interface": stands.interface,
        "receivers": bundle.receivers,
        "token_file": TOKEN,
        "trusted_keys": bundle.signing_keys,
        "state_directory": str(state_directory),
        **stands.said(addresses),
    }
    if bundle.ca is not None:
        said["ca_file"] = AUTHORITY
    lines = carrying.lines(said | dict(kept))
    return "\n".join(["# What else may be said here: wgfleet-sync run --help", *lines]) + "\n"


def _addresses(stands: Footing, joined: Joined) -> tuple[str, ...]:
    if stands.is_made and not joined.tunnel_addresses:
        raise EnrolmentError(
            "the bundle is used, but the receiver gave no tunnel address, without which no interface can be made: have a "
            "new bundle made with --again and --address"
        )
    return joined.tunnel_addresses


def _check(file: Path, kept: Collection[str]) -> None:
    """What the daemon would refuse is said now."""
    try:
        load(file)
    except ConfigurationError as error:
        beside = f", with what was added to {CONFIGURATION}," if kept else ""
        raise EnrolmentError(
            f"what the bundle says{beside} cannot be used, and it was not: {error}"
        ) from None


async def _join(bundle: Bundle, key: Key, authority: Path | None, state_directory: Path) -> Joined:
    try:
        http = marked_client(authority, lambda: key.mark, AddressBook(state_directory / BOOK))
    except OSError as error:  # ssl's errors are.
        raise EnrolmentError(
            f"the bundle's ca is no certificate, and the bundle was not used: {error}"
        ) from None
    async with http:
        return await join(http, bundle, key.public)


def told(
    bundle: Bundle, stands: Footing, key: Key, joined: Joined, files: Sequence[str], *, kept: Collection[str]
) -> str:
    """What has been done, and what is left to do."""
    steps = _steps(bundle.role, stands, key, joined)
    lines = [
        f"{bundle.name} has joined the fleet {bundle.fleet} as a {bundle.role}.",
        f"  public key        {key.public}",
        f"  tunnel addresses  {', '.join(joined.tunnel_addresses) or '(none)'}",
        f"  interface         {_interface(stands)}",
        f"  written           {', '.join(files)}",
        *(
            [f"  as it was         {', '.join(kept)} in {CONFIGURATION}; the earlier one is {BEFORE}"]
            if kept
            else []
        ),
        "What is left to do:",
        *(f"  {number}. {step}" for number, step in enumerate(steps, start=1)),
    ]
    return "\n".join(lines)


def _interface(stands: Footing) -> str:
    if not stands.is_made:
        return f"{stands.interface}, which is there, and stays whoever's it is"
    if stands.layout is LayoutKind.PER_WORKER:
        return (
            f"{stands.interface}-… for each worker; the daemon makes them, with the key in {stands.key_file}"
        )
    return f"{stands.interface}; the daemon makes it whenever it is gone, with the key in {stands.key_file}"


def _steps(role: str, stands: Footing, key: Key, joined: Joined) -> list[str]:
    addresses = [f"{one}/{128 if ':' in one else 32}" for one in joined.tunnel_addresses]
    conf = f"/etc/wireguard/{stands.interface}.conf"
    steps = []
    if key.given is not None:
        steps.append(
            f"let {stands.interface} have its key after a restart, too; in {conf}:\n"
            f"       PostUp = wg set %i private-key {key.given}"
        )
    if role != Role.WORKER and addresses and not stands.is_made:
        steps.append(
            f"give {stands.interface} its addresses; in {conf}, or by `ip address add`:\n"
            f"       Address = {', '.join(addresses)}"
        )
    if role == Role.WORKER:
        steps.append(
            "if this machine does not forward or masquerade yet: `forwarding` and `masquerade` in sync.toml"
        )
    if role == Role.VANTAGE:
        steps.append(
            f"no worker's [Peer] in {conf} any more: the daemon adds them, and leaves alone those that others added"
        )
    if stands.is_made:
        steps.append(
            "the unit wgfleet-sync.service with its drop-in wgfleet-sync.service.d, which lets it make interfaces, into\n"
            "       /etc/systemd/system; both are in deploy/systemd"
        )
    return [*steps, "systemctl enable wgfleet-sync && systemctl restart wgfleet-sync"]
