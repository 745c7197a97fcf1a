"""Client lists, and a worker's interface in memory, as the tests of the worker's role need them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from client_sync.worker.plan import Present
from client_sync.worker.tunnel import Wireguard
from tests.client_sync.samples import FLEET, public_key
from tests.wgfleet.model import after
from wgfleet.clientlist import ClientList, ListedClient
from wgfleet.device import Device, Peer
from wgfleet.diff import Kind, PeerChange
from wgfleet.dump import NONE, Table
from wgfleet.signing import Signer
from wgfleet.wg import WgError

OWN = public_key(0)
MONITORING = Peer(public_key(250), "203.0.113.2:51820", ("10.99.0.250/32",), 1000, 5, 5, 5)
"""The monitoring host, which an operator added by hand."""


def client(number: int, *networks: str) -> ListedClient:
    """The client of this number: c1, c2, ..."""
    return ListedClient(f"c{number}", public_key(number), (f"10.99.1.{number}/32", *networks))


def client_list(
    *clients: ListedClient,
    generation: int = 1,
    revoked: Sequence[int] = (),
    confirmed: tuple[int, int] | None = None,
) -> ClientList:
    """A document with these clients."""
    keys = tuple(map(public_key, revoked))
    return ClientList(FLEET, 1, generation, 1000.0, 4600.0, clients, keys, confirmed)


def many(count: int, *, generation: int = 1) -> ClientList:
    """So many clients."""
    return client_list(*map(client, range(1, count + 1)), generation=generation)


def signed(signer: Signer, clients: ClientList) -> bytes:
    """The document as the receiver sends it."""
    return signer.sign(clients.to_bytes())


def peer(number: int, *more: str) -> Peer:
    """The peer of a client."""
    return Peer(public_key(number), None, client(number, *more).allowed_ips, None, 0, 0, None)


def present(device: Device) -> Present:
    """Its peers."""
    return {one.public_key: one.allowed_ips for one in device.peers}


@dataclass
class FakeInterface:
    """Stands behind `Wireguard`."""

    device: Device = field(default_factory=lambda: Device("wg0", OWN, 51820, None, ()))
    calls: list[tuple[PeerChange, ...]] = field(default_factory=list)
    broken: str = ""
    """What reading and setting fail with; empty: they work."""
    on_set: Callable[[], object] = object

    @property
    def door(self) -> Wireguard:
        """What `Tunnel` takes."""
        return Wireguard(self.read, self.read_keys, self.set_peers)

    @property
    def keys(self) -> set[str]:
        """The public keys of the peers that there are."""
        return {one.public_key for one in self.device.peers}

    def add(self, *peers: Peer) -> None:
        """Peers that others add."""
        self.device = replace(self.device, peers=(*self.device.peers, *peers))

    def read(self, interface: str, before: Table | None) -> Table:
        """As `read_table`."""
        del before
        assert interface == self.device.interface
        if self.broken:
            raise WgError(self.broken)
        peers = self.device.peers
        return Table(
            interface,
            self.device.public_key,
            self.device.listen_port,
            self.device.firewall_mark,
            public_keys=[one.public_key.encode() for one in peers],
            allowed_ips=[",".join(one.allowed_ips).encode() or NONE for one in peers],
        )

    def read_keys(self, interface: str) -> frozenset[str]:
        """As `read_keys`."""
        return frozenset(key.decode() for key in self.read(interface, None).public_keys)

    def set_peers(self, interface: str, changes: Sequence[PeerChange]) -> None:
        """As `set_peers`."""
        assert interface == self.device.interface
        self.on_set()
        if self.broken:
            raise WgError(self.broken)
        if changes:
            self.calls.append(tuple(changes))
        for change in changes:
            self.device = after(self.device, change)

    @property
    def kinds(self) -> list[Kind]:
        """What each change did, in order."""
        return [change.kind for call in self.calls for change in call]
