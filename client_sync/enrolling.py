"""`wgfleet-sync enroll`: this machine joins a fleet by its bundle.

A bundle works once. So everything else that can fail is done first: the interface and its key, the files, the authority.
Then the bundle is used, and the files are put where they belong. Nothing that was there is lost without --force.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from client_sync.addresses import AddressBook
from client_sync.config import Config, ConfigurationError, Role, load
from client_sync.control import marked_client
from client_sync.joining import EnrolmentError, Joined, join
from client_sync.staging import Staged
from wgfleet.bundle import PREFIX, Bundle, BundleError
from wgfleet.device import Device
from wgfleet.files import write_whole
from wgfleet.names import check_interface
from wgfleet.wg import new_private_key, read_device, set_private_key

DIRECTORY = Path("/etc/wgfleet")
TOKEN_ROOM = b"\n" * 256
"""What is reserved on the disk for the token, which is only known when the bundle is used."""
CONFIGURATION, TOKEN, AUTHORITY = "sync.toml", "token", "ca.pem"


def add_to(commands: Any) -> None:
    """Add the command to an argparse parser's subcommands."""
    does = "join a fleet by a bundle"
    command = commands.add_parser(
        "enroll",
        help=does,
        description="Joins a fleet by a bundle, as a client or a worker, whichever the bundle is for. An interface that "
        "has no private key yet is given one, which is made here and never leaves this machine.",
    )
    command.add_argument("bundle", help="the file with the bundle; - reads it from standard input")
    command.add_argument("--interface", default="wg0", help="an interface that exists (default: %(default)s)")
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
        help="replace the files of an earlier enrolment, once this one is done",
    )
    command.set_defaults(run=enrol)


@dataclass(frozen=True, slots=True)
class Key:
    """The interface's key, and how it came to it."""

    public: str
    mark: int | None
    made: Path | None
    """The file with the private one, if the interface had none."""


def enrol(arguments: argparse.Namespace) -> int:
    """Join; return the exit status."""
    bundle = read_bundle(arguments.bundle)
    interface, directory = check_interface(arguments.interface), arguments.directory.absolute()
    state_directory = arguments.state_directory.absolute()
    read_device(interface)  # An interface that is not there is said before anything is made.
    for folder in (directory, state_directory):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    names = [CONFIGURATION, TOKEN] + ([AUTHORITY] if bundle.ca else [])
    there = [str(directory / name) for name in names if (directory / name).exists()]
    if there and not arguments.force:
        raise EnrolmentError(
            f"{', '.join(there)}: there already, and the bundle was not used. With --force they are replaced"
        )
    with Staged(directory) as files:
        authority = None if bundle.ca is None else files.write(AUTHORITY, bundle.ca.encode())
        files.write(TOKEN, TOKEN_ROOM)
        waiting = files.write(CONFIGURATION, configuration(bundle, interface, state_directory).encode())
        _check(waiting)
        key = own_key(interface, directory / f"{interface}.key")
        joined = asyncio.run(_join(bundle, key, authority, state_directory))
        try:
            files.write(TOKEN, f"{joined.token}\n".encode())
            files.put()
        except OSError as error:
            raise EnrolmentError(
                f"the bundle is used, but the files could not be written: {error}. Mend that, have a new bundle made "
                "with --again, and enroll with --force"
            ) from None
    sys.stdout.write(told(bundle, interface, key, joined, [str(directory / name) for name in names]) + "\n")
    return 0


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


def configuration(bundle: Bundle, interface: str, state_directory: Path) -> str:
    """The text of sync.toml."""
    said: dict[str, object] = {
        "fleet": bundle.fleet,
        "name": bundle.name,
        "role": bundle.role,
        "interface": interface,
        "receivers": bundle.receivers,
        "token_file": TOKEN,
        "trusted_keys": bundle.signing_keys,
        "state_directory": str(state_directory),
    }
    if bundle.ca is not None:
        said["ca_file"] = AUTHORITY
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in said.items()]
    return "\n".join(["# What else may be said here: wgfleet-sync run --help", *lines]) + "\n"


def own_key(interface: str, file: Path) -> Key:
    """The interface's key; one is made where it has none. Raises WgError, OSError, EnrolmentError."""
    device = read_device(interface)
    if device.public_key is not None:
        return Key(device.public_key, device.firewall_mark, None)
    if not file.exists():  # Else an earlier try made it, and the interface was made anew since.
        write_whole(file, f"{new_private_key()}\n".encode())
    set_private_key(interface, file)
    return Key(_public(read_device(interface), file), device.firewall_mark, file)


def _public(device: Device, file: Path) -> str:
    if device.public_key is None:
        raise EnrolmentError(f"{device.interface} did not take the private key in {file}: is it one?")
    return device.public_key


def _check(file: Path) -> None:
    """What the daemon would refuse is said now."""
    try:
        load(file)
    except ConfigurationError as error:
        raise EnrolmentError(f"what the bundle says cannot be used, and it was not: {error}") from None


async def _join(bundle: Bundle, key: Key, authority: Path | None, state_directory: Path) -> Joined:
    try:
        http = marked_client(authority, lambda: key.mark, AddressBook(state_directory / "addresses.json"))
    except OSError as error:  # ssl's errors are.
        raise EnrolmentError(
            f"the bundle's ca is no certificate, and the bundle was not used: {error}"
        ) from None
    async with http:
        return await join(http, bundle, key.public)


def told(bundle: Bundle, interface: str, key: Key, joined: Joined, files: Sequence[str]) -> str:
    """What has been done, and what is left to do."""
    addresses = [f"{one}/{128 if ':' in one else 32}" for one in joined.tunnel_addresses]
    conf = f"/etc/wireguard/{interface}.conf"
    steps = []
    if key.made is not None:
        steps.append(
            f"let {interface} have its key after a restart, too; in {conf}:\n"
            f"       PostUp = wg set %i private-key {key.made}"
        )
    if bundle.role == Role.CLIENT and addresses:
        steps.append(
            f"give {interface} its addresses; in {conf}, or by `ip address add`:\n"
            f"       Address = {', '.join(addresses)}"
        )
    if bundle.role == Role.WORKER:
        steps.append(
            "if this machine does not forward or masquerade yet: `forwarding` and `masquerade` in sync.toml"
        )
    steps.append("systemctl enable wgfleet-sync && systemctl restart wgfleet-sync")
    lines = [
        f"{bundle.name} has joined the fleet {bundle.fleet} as a {bundle.role}.",
        f"  public key        {key.public}",
        f"  tunnel addresses  {', '.join(joined.tunnel_addresses) or '(none)'}",
        f"  written           {', '.join(files)}",
        "What is left to do:",
        *(f"  {number}. {step}" for number, step in enumerate(steps, start=1)),
    ]
    return "\n".join(lines)
