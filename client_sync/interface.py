"""The WireGuard interface as the daemon uses it: read, configure, make a standby's session anew."""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from client_sync.cache import ManagedPeers
from client_sync.endpoints import Endpoints, Resolve
from client_sync.peers import holder, own_prefixes, wanted_peers
from client_sync.routes import are_set, set_routes
from wgfleet.device import Device
from wgfleet.diff import Kind, PeerChange, difference
from wgfleet.logs import say
from wgfleet.peerset import PublishedWorker
from wgfleet.wg import WgError, read_device, set_peers

log = logging.getLogger(__name__)
Workers = Mapping[str, PublishedWorker]


@dataclass(frozen=True, slots=True)
class Wireguard:
    """The door to the device, so that tests can stand another behind it."""

    read: Callable[[str], Device] = read_device
    set_peers: Callable[[str, tuple[PeerChange, ...]], None] = set_peers
    set_routes: Callable[[Collection[str], str, int | None], None] = set_routes
    are_set: Callable[[Collection[str], str, int | None], bool] = are_set


class Interface:
    """One interface. It is never taken down, and peers that others added are left alone."""

    def __init__(
        self,
        name: str,
        managed: ManagedPeers,
        resolve: Resolve,
        *,
        manage_routes: bool,
        wireguard: Wireguard,
        is_vantage: bool = False,
    ) -> None:
        """Name an interface that exists; `resolve` gives a host's addresses, which may be none.

        A vantage's routes lead to the workers themselves, and not to what they lead to.
        """
        self.name = name
        self._managed = managed
        self._endpoints = Endpoints(resolve)
        self._manage_routes = manage_routes
        self._is_vantage = is_vantage
        self._wireguard = wireguard
        self._routed: frozenset[str] = frozenset()
        self._last: tuple[Workers, str | None] | None = None
        """What was configured last."""
        self.mark: int | None = None
        """The interface's firewall mark, as last read."""

    @property
    def connections_left(self) -> Mapping[str, int | None]:
        """None: whatever was connected moves along."""
        return {}

    def read(self) -> Device:
        """The interface as it is. Raises WgError."""
        try:
            device = self._wireguard.read(self.name)
        except WgError:
            self._routed = frozenset()  # An interface that is gone takes its routes along.
            raise
        self.mark = device.firewall_mark
        return device

    def holder(self, workers: Workers) -> str | None:
        """The worker that carries the traffic at present."""
        return holder(workers.values(), {peer.public_key: peer.allowed_ips for peer in self.read().peers})

    def configure(self, workers: Workers, active: str | None, silent: Collection[str] = ()) -> None:
        """Make all workers peers, with the routed prefixes on the active one: at most one `wg set`."""
        del silent  # Whatever was connected moves along.
        self._last = workers, active
        device = self.read()
        changes = self._changes(device, workers, active, self._ends(workers, device))
        added = {change.public_key for change in changes if change.kind is Kind.ADD}
        removed = {change.public_key for change in changes if change.kind is Kind.REMOVE}
        unnoted: OSError | None = None
        try:
            # Before they are added: if we die between, we may remove what we added, and nothing that we did not.
            self._managed.replace(self._managed.keys | added)
        except OSError as error:  # A full disk, say. All that adds nobody is done: moves, bans.
            unnoted = error
            noted = self._managed.keys | {peer.public_key for peer in device.peers}
            known = {name: worker for name, worker in workers.items() if worker.public_key in noted}
            has = {peer.public_key: peer.allowed_ips for peer in device.peers}
            carrier = active if active in known else holder(known.values(), has)
            changes = self._changes(device, known, carrier, self._ends(known, device))
        self._wireguard.set_peers(self.name, changes)
        self._managed.replace(self._managed.keys - removed)
        for change in changes:
            say(log, "changed", interface=self.name, change=change)
        self._route(workers)
        if unnoted is not None:
            raise unnoted

    def mend(self) -> None:
        """Configure it again, routes too: it was down, or is another of the same name. Raises WgError."""
        self._routed = frozenset()
        if self._last is not None:
            self.configure(*self._last)

    def is_as_set(self) -> bool:
        """Whether peers and routes are as they were configured last. Raises WgError.

        A manager of networks, or `wg syncconf`, may have given the prefixes to another worker, a dead one perhaps, while the one
        that we chose answers our probes all the same. Where peers are is no matter: they roam.
        """
        if self._last is None:
            return True
        workers, active = self._last
        if self._changes(self.read(), workers, active, dict.fromkeys(workers)):
            return False
        return not self._routed or self._wireguard.are_set(self._routed, self.name, self.mark)

    def recreate(self, worker: PublishedWorker) -> None:
        """Make a standby's session anew, at its next endpoint: in one call, so that there is no moment without it."""
        self._endpoints.advance(worker.name)
        key = worker.public_key
        peer = self.read().peer(key)
        endpoint = self._endpoints.of(worker, None) or (peer.endpoint if peer else None)
        if peer is not None and key not in self._managed.keys:
            # Others added it, perhaps with a preshared key, which we never see: what we removed, we could not add.
            self._wireguard.set_peers(self.name, (PeerChange(Kind.UPDATE, key, endpoint),))
            return
        (wanted,) = wanted_peers([worker], None, endpoints={worker.name: endpoint}, others=())
        gone = [] if peer is None else [PeerChange(Kind.REMOVE, key)]
        anew = PeerChange(Kind.ADD, key, wanted.endpoint, wanted.allowed_ips, wanted.persistent_keepalive)
        self._managed.replace(self._managed.keys | {key})
        self._wireguard.set_peers(self.name, (*gone, anew))

    def redirect(self, worker: PublishedWorker) -> None:
        """Send to the active worker at its next endpoint; whatever it has stays."""
        if changes := self._endpoints.redirected(worker, self.read()):
            self._wireguard.set_peers(self.name, changes)

    def _ends(self, workers: Workers, device: Device) -> dict[str, str | None]:
        return {name: self._endpoints.of(worker, device) for name, worker in workers.items()}

    def _changes(
        self, device: Device, workers: Workers, active: str | None, endpoints: Mapping[str, str | None]
    ) -> tuple[PeerChange, ...]:
        others = {peer.public_key for peer in device.peers} - self._managed.keys
        wanted = wanted_peers(workers.values(), active, endpoints=endpoints, others=others)
        return difference(device, wanted, removable=self._managed.keys)

    def _route(self, workers: Workers) -> None:
        routed = frozenset(
            prefix
            for worker in workers.values()
            for prefix in (own_prefixes(worker) if self._is_vantage else worker.allowed_ips)
        )
        if self._manage_routes and routed != self._routed:
            self._wireguard.set_routes(routed, self.name, self.mark)
            self._routed = routed
