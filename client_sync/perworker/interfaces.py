"""The interfaces of this layout: one for each worker, made and removed here, each with that worker as its only peer."""

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from client_sync.endpoints import Endpoints
from client_sync.peers import wanted_peers
from client_sync.perworker.allotments import Allotment, Allotments, allotted
from client_sync.perworker.system import System
from client_sync.tunnels.keys import public_key_of
from client_sync.tunnels.making import Dress, Implementation
from client_sync.tunnels.programs import LayoutError
from client_sync.tunnels.routing import Tunnel
from wgfleet.device import Device
from wgfleet.diff import Kind, PeerChange, difference
from wgfleet.logs import say
from wgfleet.peerset import PublishedWorker

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the configuration says of this layout."""

    prefix: str
    """Interfaces are named by it and the worker."""
    private_key_file: Path
    addresses: tuple[str, ...]
    """The client's own inside the tunnel."""
    mark: int
    """The tunnels' own; the workers' are the numbers after it. All are numbers of routing tables, too."""
    drain_deadline: float = 3600.0
    """Seconds."""
    implementation: Implementation = Implementation.AUTO
    target: str | None = None
    """An address beyond the workers that is probed through each."""


class Interfaces:
    """They outlive the daemon; only those that it made does it ever remove."""

    def __init__(
        self, settings: Settings, allotments: Allotments, endpoints: Endpoints, system: System
    ) -> None:
        """Begin knowing what is kept."""
        self._settings = settings
        self._allotments = allotments
        self._endpoints = endpoints
        self._system = system
        # A network would belong to one interface only.
        addresses = tuple(address.partition("/")[0] for address in settings.addresses)
        self._dress = Dress(settings.private_key_file, settings.mark, addresses)
        self._dressed: set[str] = set()
        """Those that were found to be, or made, as they should be in this run."""

    def read(self) -> Device:
        """All that there are, as one device. Raises WgError, also for a private key that is none."""
        key = self._own_key()
        devices = [self._system.read(tunnel.device) for tunnel in self.tunnels().values()]
        peers = tuple(peer for device in devices for peer in device.peers)
        return Device(self._settings.prefix, key, 0, self._settings.mark, peers)

    def tunnels(self) -> dict[str, Tunnel]:
        """Those that there are and that are up, by worker."""
        there = self._system.links()
        return {
            name: Tunnel(one.interface, one.mark, one.addresses)
            for name, one in self._allotments.of.items()
            if there.get(one.interface)
        }

    def allot(self, workers: Collection[PublishedWorker]) -> list[str]:
        """Give each worker a name and a mark that are nobody else's. On disk before any interface is made.

        Returns those that have none, because they could not be noted.
        """
        settings, known = self._settings, self._allotments.of
        names = [worker.name for worker in workers]
        has = allotted(settings.prefix, settings.mark + 1, names, known, self._system.links())
        here = {
            worker.name: replace(has[worker.name], addresses=worker.tunnel_addresses) for worker in workers
        }
        self._allotments.keep(here)
        return [name for name in names if name not in self._allotments.of]

    def prepare(self, worker: PublishedWorker) -> bool:
        """See that the interface is there and has the worker as its peer; True if it has no routes yet. Raises WgError."""
        one = self._allotments.of[worker.name]
        interface = one.interface
        up = self._system.links().get(interface)
        device = None
        if up is None:
            self._system.make(interface, self._settings.implementation)
            say(log, "interface made", interface=interface, worker=worker.name)
        elif not up or interface not in self._dressed:
            device = self._found(one)
        if not up or (device is not None and not self._is_dressed(device)):
            self._system.dress(interface, self._dress, worker.mtu)
            device = None
        self._dressed.add(interface)
        device = device or self._system.read(interface)
        endpoint = self._endpoints.of(worker, device)
        peers = wanted_peers([worker], worker.name, endpoints={worker.name: endpoint}, others=())
        edits = difference(device, peers, removable={peer.public_key for peer in device.peers})
        self._system.set_peers(interface, edits)
        for edit in edits:
            say(log, "changed", interface=interface, change=edit)
        return not up

    def recreate(self, worker: PublishedWorker) -> bool:
        """Make its session anew, at its next endpoint; True if the interface has no routes yet. Raises WgError."""
        self._endpoints.advance(worker.name)
        if self.prepare(worker):
            return True
        interface, key = self._allotments.of[worker.name].interface, worker.public_key
        present = self._system.read(interface).peer(key)
        endpoint = self._endpoints.of(worker, None) or (present.endpoint if present else None)
        (peer,) = wanted_peers([worker], worker.name, endpoints={worker.name: endpoint}, others=())
        anew = PeerChange(Kind.ADD, key, endpoint, peer.allowed_ips, peer.persistent_keepalive)
        self._system.set_peers(interface, (PeerChange(Kind.REMOVE, key), anew))
        return False

    def redirect(self, worker: PublishedWorker) -> None:
        """Send to it at its next endpoint. Raises WgError."""
        interface = self._allotments.of[worker.name].interface
        if changes := self._endpoints.redirected(worker, self._system.read(interface)):
            self._system.set_peers(interface, changes)

    def remove_all_but(self, used: Collection[str]) -> tuple[int, ...]:
        """Delete those of other workers than these, and forget them; return the marks that they had. Raises WgError."""
        gone = [name for name in self._allotments.of if name not in used]
        there = self._system.links()
        for name in gone:
            one = self._allotments.of[name]
            if one.made and one.interface in there:
                self._system.remove(one.interface)
                say(log, "interface removed", interface=one.interface, worker=name)
            self._dressed.discard(one.interface)
        marks = tuple(self._allotments.of[name].mark for name in gone)
        self._allotments.keep({}, gone)
        return marks

    def _is_dressed(self, device: Device) -> bool:
        return (device.public_key, device.firewall_mark) == (self._own_key(), self._settings.mark)

    def _found(self, one: Allotment) -> Device:
        """One that was there: made in an earlier run, or by others with our key."""
        device = self._system.read(one.interface)
        if not one.made and device.public_key != self._own_key():
            raise LayoutError(
                f"the interface {one.interface} is there, was made by others and has another key: delete it "
                f"(`ip link delete dev {one.interface}`), or choose another `interface` in the configuration"
            )
        return device

    def _own_key(self) -> str:
        return public_key_of(self._settings.private_key_file)
