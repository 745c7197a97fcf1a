"""`wgfleet-sync adopt`: reads an interface, says what it found, completes sync.toml, and says what to do next."""

import argparse
import ipaddress
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from client_sync.adopting.filling import DRAFT, FillingError, filled
from client_sync.adopting.found import Found, found
from client_sync.adopting.makers import makers
from client_sync.adopting.saying import Adopted, described, told
from client_sync.cache import Documents
from client_sync.config import ConfigurationError, load
from client_sync.staging import Staged
from client_sync.tunnels.keys import public_key_of
from client_sync.tunnels.making import addresses
from client_sync.tunnels.programs import LayoutError, run
from wgfleet.device import Device
from wgfleet.names import check_interface
from wgfleet.peerset import PublishedWorker
from wgfleet.signing import Verifier
from wgfleet.wg import private_key, read_device

CONFIGURATION = "sync.toml"


class AdoptionError(ValueError):
    """The interface was not adopted; the text says what to do."""


def add_to(commands: Any, directory: Path) -> None:
    """Add the command to an argparse parser's subcommands."""
    command = commands.add_parser(
        "adopt",
        help="take an interface that others made into wgfleet's care",
        description="Reads an interface that wg-quick, systemd-networkd, NetworkManager or somebody by hand made, says what "
        "it is like and what could fight with the daemon, and completes sync.toml. Nothing of the interface is changed.",
    )
    command.add_argument("interface", help="an interface that exists, as wg0")
    command.add_argument(
        "--directory",
        type=Path,
        default=directory,
        help="where sync.toml is, or shall be (default: %(default)s)",
    )
    command.add_argument(
        "--bring-up",
        action="store_true",
        help="let the daemon make it from now on, whenever it is gone: its key is copied into a file beside sync.toml, its "
        "addresses and its mark are noted",
    )
    command.add_argument("--again", action="store_true", help="replace what sync.toml says otherwise")
    command.add_argument("--dry-run", action="store_true", help="write nothing")
    command.add_argument("--json", action="store_true", help="for programs")
    command.set_defaults(run=adopt)


def adopt(arguments: argparse.Namespace) -> int:
    """Adopt; return the exit status."""
    interface, directory = check_interface(arguments.interface), arguments.directory.absolute()
    file = directory / CONFIGURATION
    workers = _workers(file)
    device = read_device(interface)
    if device.public_key is None:
        raise AdoptionError(
            f"{interface} has no private key yet: `wgfleet-sync enroll` gives it one, or `wg set`"
        )
    is_there = found(device, _global(addresses(interface)), workers or (), _rules())
    wanted: dict[str, object] = {"interface": interface}
    text = file.read_text() if file.exists() else DRAFT
    if arguments.bring_up:
        wanted |= _to_make(is_there, text)
    try:
        after = filled(text, wanted, again=arguments.again)
    except FillingError as error:
        raise AdoptionError(f"{file} was left as it is: {error}") from None
    key = str(wanted.get("private_key_file", ""))
    copies = bool(key) and not _is_same(directory / key, device, again=arguments.again)
    complete = _is_complete(file)
    if not arguments.dry_run:
        _write(directory, after, key if copies else None, device.interface, was_complete=complete)
        complete = _is_complete(file)
    adopted = Adopted(is_there, makers(interface), str(file), complete, workers is not None, wanted)
    if arguments.json:
        sys.stdout.write(json.dumps(described(adopted, dry=arguments.dry_run)) + "\n")
    else:
        sys.stdout.write(told(adopted, dry=arguments.dry_run) + "\n")
    return 0


def _write(directory: Path, text: str, key: str | None, interface: str, *, was_complete: bool) -> None:
    """Write the file, and the key before it. A file that the daemon takes is not made one that it refuses."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with Staged(directory) as files:
        if key is not None:
            files.write(key, f"{private_key(interface)}\n".encode())
        waiting = files.write(CONFIGURATION, text.encode())
        try:
            load(waiting)
        except ConfigurationError as error:
            if was_complete:
                raise AdoptionError(f"nothing was written: the daemon would refuse it: {error}") from None
        files.put()


def _is_same(file: Path, device: Device, *, again: bool) -> bool:
    """Whether the interface's key is in the file already. Raises AdoptionError for another one, unless it is meant."""
    if not file.exists():
        return False
    try:
        same = public_key_of(file) == device.public_key
    except LayoutError:
        same = False
    if not same and not again:
        raise AdoptionError(
            f"{file} holds another key than {device.interface} has. With --again it is replaced"
        )
    return same


def _is_complete(file: Path) -> bool:
    """Whether the daemon takes it."""
    try:
        load(file)
    except ConfigurationError:
        return False
    return True


def _workers(file: Path) -> tuple[PublishedWorker, ...] | None:
    """Those that the daemon's last good document lists; None if there is none."""
    try:
        config = load(file)
        kept = Documents(config.state_directory, Verifier(config.trusted_keys), config.fleet).last_good()
    except (ConfigurationError, OSError):
        return None
    return None if kept is None else kept.workers


def _to_make(there: Found, text: str) -> dict[str, object]:
    interface = there.device.interface
    if not there.addresses:
        raise AdoptionError(
            f"{interface} has no address, so the daemon could not make it: leave --bring-up out"
        )
    named = re.search(r'(?m)^[ \t]*private_key_file[ \t]*=[ \t]*"([^"]+)"', text)
    wanted: dict[str, object] = {
        "private_key_file": f"{interface}.key" if named is None else named[1],
        "addresses": [_short(address) for address in there.addresses],
    }
    if there.device.firewall_mark is not None:
        wanted["firewall_mark"] = there.device.firewall_mark
    return wanted


def _short(address: str) -> str:
    """Without the longest prefix, which says nothing: as an enrolment writes it."""
    read = ipaddress.ip_interface(address)
    return str(read.ip) if read.network.prefixlen == read.max_prefixlen else address


def _global(known: Sequence[str]) -> list[str]:
    return [address for address in known if not address.startswith("fe80:")]


def _rules() -> dict[int, list[dict[str, object]]]:
    families = (4, 6) if Path("/proc/sys/net/ipv6").exists() else (4,)
    return {
        family: json.loads(run(["ip", f"-{family}", "-json", "rule", "show"]) or "[]") for family in families
    }
