"""The edge of this layout: what tunnels/ makes, and connection marks and their count."""

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from client_sync.tunnels.making import Dress, Implementation, dress, links, make, remove
from client_sync.tunnels.programs import run
from client_sync.tunnels.routing import Tables
from client_sync.tunnels.tables import change, load, tables
from wgfleet.device import Device
from wgfleet.diff import PeerChange
from wgfleet.wg import read_device, set_peers

CONNTRACK = Path("/proc/net/nf_conntrack")


def connections() -> list[str] | None:
    """What the kernel tracks, a line each; None if neither the kernel nor the program `conntrack` tells."""
    try:
        return CONNTRACK.read_text().splitlines()
    except OSError:
        pass
    if shutil.which("conntrack") is None:
        return None
    found = [run(["conntrack", "-L", "-o", "extended", "-f", family]) for family in ("ipv4", "ipv6")]
    return [line for family in found for line in family.splitlines()]


@dataclass(frozen=True, slots=True)
class System:
    """The door to all of it, so that tests can stand another behind it."""

    links: Callable[[], Mapping[str, bool]] = links
    make: Callable[[str, Implementation], None] = make
    dress: Callable[[str, Dress, int | None], None] = dress
    remove: Callable[[str], None] = remove
    read: Callable[[str], Device] = read_device
    set_peers: Callable[[str, Sequence[PeerChange]], None] = set_peers
    tables: Callable[[Iterable[int]], Mapping[int, Tables]] = tables
    change: Callable[[int, Sequence[str]], None] = change
    load: Callable[[str], None] = load
    connections: Callable[[], list[str] | None] = connections
