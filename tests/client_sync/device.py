"""A WireGuard interface in memory, with WireGuard's own rules for allowed IPs, and a note of all that was asked."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from client_sync.cache import ManagedPeers
from client_sync.endpoints import Resolve
from client_sync.interface import Interface, Wireguard
from client_sync.tunnels.programs import LayoutError
from tests.wgfleet.model import after, owners
from wgfleet.device import Device, Peer
from wgfleet.diff import PeerChange
from wgfleet.peerset import PublishedWorker
from wgfleet.wg import WgError

MARK = 51820


@dataclass
class FakeDevice:
    """Stands behind `Wireguard`."""

    device: Device = field(default_factory=lambda: Device("wg0", "own", 51820, MARK, ()))
    calls: list[tuple[PeerChange, ...]] = field(default_factory=list)
    """The changes of each `set_peers` that had any: one entry is one `wg set`."""
    carriers: list[dict[str, str]] = field(default_factory=list)
    """Who owned each prefix after every single change, in order."""
    routes: list[tuple[frozenset[str], str, int | None]] = field(default_factory=list)
    broken: str = ""
    """What reading and setting fail with; empty: they work."""
    broken_routes: str = ""
    cleared_routes: bool = False
    """By others."""
    on_read: Callable[[], object] = object
    on_set: Callable[[], object] = object
    """Called before each reading and setting."""

    @property
    def door(self) -> Wireguard:
        """What `Interface` takes."""
        return Wireguard(
            read=self.read,
            set_peers=self.set_peers,
            set_routes=self.set_routes,
            are_set=lambda *_: not self.cleared_routes,
        )

    @property
    def keys(self) -> set[str]:
        """The public keys of the peers that there are."""
        return {peer.public_key for peer in self.device.peers}

    def add(self, *peers: Peer) -> None:
        """Peers that others add."""
        self.device = replace(self.device, peers=(*self.device.peers, *peers))

    def peer(self, public_key: str) -> Peer:
        """The peer, which must be there."""
        found = self.device.peer(public_key)
        assert found is not None, f"there is no peer {public_key}"
        return found

    def read(self, interface: str) -> Device:
        """As `read_device`."""
        assert interface == self.device.interface
        self.on_read()
        if self.broken:
            raise WgError(self.broken)
        return self.device

    def set_peers(self, interface: str, changes: tuple[PeerChange, ...]) -> None:
        """As `set_peers`."""
        assert interface == self.device.interface
        self.on_set()
        if self.broken:
            raise WgError(self.broken)
        if changes:
            self.calls.append(changes)
        for change in changes:
            self.device = after(self.device, change)
            self.carriers.append(owners(self.device))

    def set_routes(self, prefixes: Collection[str], interface: str, mark: int | None) -> None:
        """As `set_routes`."""
        if self.broken_routes:
            raise LayoutError(self.broken_routes)
        self.routes.append((frozenset(prefixes), interface, mark))


def unresolved(host: str, port: int) -> tuple[str, ...]:
    """A resolver for endpoints that are addresses already."""
    del port
    return (host,)


@dataclass
class MemoryOnly(ManagedPeers):
    """Keeps nothing on disk."""

    kept: frozenset[str] = frozenset()

    @property
    def keys(self) -> frozenset[str]:
        return self.kept

    def replace(self, keys: frozenset[str]) -> None:
        self.kept = keys


def interface(
    fake: FakeDevice,
    managed: ManagedPeers | None = None,
    *,
    resolve: Resolve = unresolved,
    manage_routes: bool = True,
    door: Wireguard | None = None,
    is_vantage: bool = False,
) -> Interface:
    """An interface on this device."""
    return Interface(
        "wg0",
        MemoryOnly() if managed is None else managed,
        resolve,
        manage_routes=manage_routes,
        wireguard=door or fake.door,
        is_vantage=is_vantage,
    )


def named(*workers: PublishedWorker) -> dict[str, PublishedWorker]:
    """The workers by name."""
    return {one.name: one for one in workers}


def peer(key: str, *allowed_ips: str, endpoint: str | None = None) -> Peer:
    """A peer that the device has."""
    return Peer(key, endpoint, allowed_ips, None, 0, 0, 25)
