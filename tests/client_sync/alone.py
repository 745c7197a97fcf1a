"""A machine in memory for the one interface that the daemon makes: links, addresses, peers, routes, rules."""

from dataclasses import dataclass, field

from client_sync.cache import ManagedPeers, RoutedNetworks
from client_sync.interface import Interface, Wireguard
from client_sync.own import Kernel, OwnInterface, Settings
from client_sync.routes import set_routes
from client_sync.tunnels.making import Dress, Implementation
from tests.client_sync.device import unresolved
from tests.client_sync.perworker.kernel import MARK, Machine

NAME = "wg0"


@dataclass
class Alone(Machine):
    """Stands behind `Kernel`, too."""

    mtu: int = 1420
    strict: bool = False
    """Whether rp_filter is, at another interface."""
    addresses: dict[str, list[str]] = field(default_factory=dict)

    def own(self, *addresses: str, manage_routes: bool = True) -> OwnInterface:
        """The layout of a daemon just started here."""
        key = self.directory / "private.key"
        key.write_text(f"{self.keys.private}\n")
        door = self.door
        peers = Interface(
            NAME,
            ManagedPeers(self.directory),
            unresolved,
            manage_routes=False,
            wireguard=Wireguard(door.read, door.set_peers, set_routes),
        )
        settings = Settings(Dress(key, MARK, addresses or ("10.99.1.7",)), Implementation.AUTO, manage_routes)
        return OwnInterface(settings, peers, RoutedNetworks(self.directory), self.kernel)

    @property
    def kernel(self) -> Kernel:
        """What the layout takes."""
        door = self.door
        return Kernel(
            links=door.links,
            addresses=lambda name: self.addresses.get(name, []),
            make=door.make,
            dress=self._dress,
            fit=self._fit,
            strict_beside=lambda _name: self.strict,
            tables=door.tables,
            change=door.change,
            load=self._load,
        )

    def _dress(self, interface: str, what: Dress, mtu: int | None) -> None:
        super()._dress(interface, what, mtu)
        self.addresses[interface] = [*what.addresses]

    def _fit(self, interface: str, mtu: int) -> None:
        if self.mtu != mtu:
            self._do(f"fit {interface} {mtu}")
        self.mtu = mtu

    def _load(self, rules: str) -> None:
        self._do("load")
        self.rulesets.append(rules)
