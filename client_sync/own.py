"""One interface that the daemon makes itself: at start, and again when it is gone. Stopping the daemon leaves it.

    30100  to each routed network: what main says more specifically than the network itself, as a LAN
    30102  without our mark:       the table of the mark, where the routed networks lead into the interface

As tunnels/routing.py has them, with one tunnel: for a full one that is what wg-quick(8) makes. A dead end lies beneath each
network before the interface is made, and is left when it goes.
"""

import asyncio
import contextlib
import ipaddress
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from client_sync.cache import RoutedNetworks
from client_sync.interface import Interface
from client_sync.layout import Workers
from client_sync.tunnels import making
from client_sync.tunnels.keys import public_key_of
from client_sync.tunnels.making import Dress, Implementation
from client_sync.tunnels.marking import ruleset
from client_sync.tunnels.programs import LayoutError
from client_sync.tunnels.routing import FAMILIES, Plan, Tables, Tunnel, changes, networks, wanted
from client_sync.tunnels.tables import change, load, tables
from wgfleet.device import Device
from wgfleet.dump import DumpError
from wgfleet.logs import say
from wgfleet.peerset import PublishedWorker, WorkerState
from wgfleet.wg import WgError

log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
"""Between looks whether the interface is there,"""
LOOKS_AT_ROUTES = 10
"""and every so many of them whether routes, rules and peers are: what manages networks may clear away what it does not know."""
TUNNEL = "all"
"""The only one's name in a plan."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the configuration says of it."""

    dress: Dress
    implementation: Implementation = Implementation.AUTO
    manage_routes: bool = True


@dataclass(frozen=True, slots=True)
class Kernel:
    """The door to links, routes, rules and marks, so that tests can stand another behind it."""

    links: Callable[[], Mapping[str, bool]] = making.links
    addresses: Callable[[str], Collection[str]] = making.addresses
    make: Callable[[str, Implementation], None] = making.make
    dress: Callable[[str, Dress, int | None], None] = making.dress
    fit: Callable[[str, int], None] = making.fit
    strict_beside: Callable[[str], bool] = making.strict_beside
    tables: Callable[[Iterable[int]], Mapping[int, Tables]] = tables
    change: Callable[[int, Sequence[str]], None] = change
    load: Callable[[str], None] = load


@dataclass
class OwnInterface:
    """A `Layout`: an `Interface`, and what it stands on."""

    settings: Settings
    peers: Interface
    """Which peers it has, once it is there; its routes are led here."""
    networks: RoutedNetworks
    kernel: Kernel = field(default_factory=Kernel)

    def __post_init__(self) -> None:
        """Begin knowing nothing."""
        self.name = self.peers.name
        self._workers: Workers = {}
        self._active: str | None = None
        self._dressed = self._led = self._marked = False
        """It was found to be, or made, as it should be in this run."""
        self._looks = 0

    @property
    def mark(self) -> int:
        """The tunnel's firewall mark: known before there is a tunnel, so that no connection is made without it."""
        return self.settings.dress.mark

    @property
    def connections_left(self) -> Mapping[str, int | None]:
        """As of its peers."""
        return self.peers.connections_left

    def begin(self) -> None:
        """Where it will be needed, mark the control connection from its first packet: a stream may send no other."""
        if self.settings.manage_routes and self.kernel.strict_beside(self.name):
            with contextlib.suppress(LayoutError):  # Said when the interface is made.
                self.kernel.load(ruleset(self.mark, {}, ()))

    def read(self) -> Device:
        """The interface; before it is made, as it will be. Raises WgError, also for one that is not ours to use."""
        own = public_key_of(self.settings.dress.private_key_file)
        if self.name not in self.kernel.links():
            return Device(self.name, own, 0, self.mark, ())
        device = self.peers.read()
        if device.public_key not in (None, own):
            raise LayoutError(
                f"{self.name} is there and has another key than private_key_file: take it down "
                f"(`wg-quick down {self.name}`, `ip link delete dev {self.name}`), or name another `interface`"
            )
        if device.firewall_mark not in (None, self.mark):
            # The rules that were made for it go by its mark: with ours, its packets would be led into itself.
            raise LayoutError(
                f"{self.name} is there and has the firewall mark {device.firewall_mark}: say "
                f"`firewall_mark = {device.firewall_mark}` in sync.toml, or take it down (`wg-quick down {self.name}`)"
            )
        return device

    def holder(self, workers: Workers) -> str | None:
        """The worker that carries the traffic, or will again when an interface that is gone is made anew."""
        if self.kernel.links().get(self.name) is None:
            return self._active if self._active in workers else None
        return self.peers.holder(workers)

    def configure(self, workers: Workers, active: str | None, silent: Collection[str] = ()) -> None:
        """See that the interface is there, then all workers its peers, then everything led into it."""
        self._workers, self._active = dict(workers), active
        networks = self._routed()
        self._led = self._led and networks == self.networks.of
        self.networks.keep(networks)
        self._bring_up()
        self.peers.configure(workers, active, silent)
        if (mtu := self._mtu) is not None:
            self.kernel.fit(self.name, mtu)
        if not self._led:
            self._lead()

    def recreate(self, worker: PublishedWorker) -> None:
        """Make a standby's session anew; where the interface is gone, that will be made first."""
        if self.kernel.links().get(self.name):
            self.peers.recreate(worker)
        else:
            self.mend()

    def redirect(self, worker: PublishedWorker) -> None:
        """Send to the active worker at its next endpoint; where the interface is gone, that will be made first."""
        if self.kernel.links().get(self.name):
            self.peers.redirect(worker)

    def mend(self) -> None:
        """Make the interface if it is gone, take it up if it is down, and now and then set right what leads there."""
        self._looks += 1
        if self.kernel.links().get(self.name) and self._dressed:
            again = self._looks % LOOKS_AT_ROUTES == 0
            if not self._led or again:
                self._lead()
            if again and not self.peers.is_as_set():
                say(log, "set again, others changed it", level=logging.WARNING, interface=self.name)
                self.peers.mend()
        elif self._workers:
            self.configure(self._workers, self._active)
        else:
            self._bring_up()
            self._lead()

    def _bring_up(self) -> None:
        up = self.kernel.links().get(self.name)
        if up and self._dressed:
            return
        self._dressed = False
        bare = not self._fits(self.read(), up=bool(up))
        if up is None:
            self._lead()  # Nothing may leave in clear while it is made, nor if it cannot be.
            self.kernel.make(self.name, self.settings.implementation)
            say(log, "interface made", interface=self.name)
        if bare:
            self.kernel.dress(self.name, self.settings.dress, self._mtu)
        self._led = self._marked = False  # Routes into it could only be made now.
        self._dressed = True
        with contextlib.suppress(
            LayoutError
        ):  # Said when all else is done. Before the first handshake: its answer is one.
            self._keep_marks()

    def _fits(self, device: Device, *, up: bool) -> bool:
        if not up or device.public_key is None or device.firewall_mark is None:
            return False
        has = {ipaddress.ip_interface(address).ip for address in self.kernel.addresses(self.name)}
        wants = {ipaddress.ip_interface(address).ip for address in self.settings.dress.addresses}
        return wants <= has

    def _keep_marks(self) -> None:
        """Where packets must come by the interface that an answer would take, let a full tunnel's be known by their mark."""
        routed = [network for family in FAMILIES for network in networks(self.networks.of, family)]
        full = self.settings.manage_routes and any(network.prefixlen == 0 for network in routed)
        if self._marked or not full or not self.kernel.strict_beside(self.name):
            return
        try:
            self.kernel.load(ruleset(self.mark, {}, ()))
        except LayoutError as error:
            raise LayoutError(
                f"{error}: rp_filter is strict here, and the kernel would drop what workers send: install nftables, or "
                "`sysctl -w` a 2 to each net.ipv4.conf.*.rp_filter that is 1"
            ) from None
        self._marked = True

    def _lead(self) -> None:
        """Bring routes and rules up to date.

        Until a document has said what is routed, the mark's table is that of whoever made the interface: nothing of his
        is taken away, or what he led into the tunnel would leave in clear.
        """
        self._led = not self.settings.manage_routes
        if self._led or not self.networks.of:
            return
        up = self.kernel.links().get(self.name)
        tunnels = {TUNNEL: Tunnel(self.name, self.mark, ())} if up else {}
        plan = Plan(self.mark, self.networks.of, tunnels, TUNNEL, frozenset())
        for family, have in self.kernel.tables([self.mark]).items():
            lines = changes(have, wanted(plan, family), self.mark)
            self.kernel.change(family, lines)
            for line in lines:
                say(log, "changed", family=family, change=line)
        self._led = True
        if up:
            self._keep_marks()

    def _routed(self) -> tuple[str, ...]:
        """What leads into the tunnel: kept while no worker says any, so that it does not leave in clear then."""
        usable = self._usable
        routed = {prefix for worker in usable for prefix in worker.allowed_ips}
        if not routed:
            return self.networks.of
        own = {address for worker in usable for address in worker.tunnel_addresses}
        # The main table has these too, and loses them with the interface.
        within = {ipaddress.ip_interface(one).network for one in self.settings.dress.addresses}
        nets = {str(network) for network in within if network.prefixlen < network.max_prefixlen}
        hosts = {str(ipaddress.ip_network(address)) for address in own}
        return tuple(sorted(routed | hosts | nets))

    @property
    def _mtu(self) -> int | None:
        """The least that a worker says: the interface is the same for all."""
        return min((worker.mtu for worker in self._usable if worker.mtu is not None), default=None)

    @property
    def _usable(self) -> list[PublishedWorker]:
        return [worker for worker in self._workers.values() if worker.state is not WorkerState.BANNED]


async def watch(own: OwnInterface) -> None:
    """For ever: see that the interface is there."""
    while True:
        try:
            own.mend()
        except (WgError, DumpError, OSError) as error:
            say(log, "not applied", level=logging.ERROR, error=error)
        await asyncio.sleep(LOOK_SECONDS)
