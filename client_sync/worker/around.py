"""Makes what a worker needs beside its peers: forwarding, masquerading, routes to the networks behind clients.

Whatever was there before and is others' stays.
"""

import ipaddress
import json
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from client_sync.tunnels.programs import LayoutError, run
from client_sync.worker.forwarding import (
    PROTOCOL,
    TABLE,
    Network,
    masquerading,
    outside,
    route_lines,
    sysctls,
    without,
)
from wgfleet.clientlist import ClientList
from wgfleet.logs import say

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kernel:
    """What carries it out, so that tests can stand another behind it."""

    run: Callable[[Sequence[str], str], str] = run
    net: Path = Path("/proc/sys/net")


class Around:
    """Makes it, and remembers what it made. To be used from one thread at a time."""

    def __init__(
        self,
        interface: str,
        *,
        manage_routes: bool,
        forwarding: bool,
        masquerade: Sequence[str],
        kernel: Kernel,
        also: Sequence[Network] = (),
    ) -> None:
        """Say what is asked for; `also` are other interfaces' networks that are masqueraded as this one's are."""
        self._interface = interface
        self._manage_routes = manage_routes
        self._forwarding = forwarding
        self._masquerade = masquerade
        self._kernel = kernel
        self._also = also
        self._made: tuple[object, ...] | None = None

    def begin(self) -> None:
        """What no list is needed for. Raises LayoutError."""
        if self._forwarding:
            self._forward(self._own_networks()[1])
        if not self._masquerade:
            take_away(self._kernel, TABLE)

    def __call__(self, clients: ClientList) -> None:
        """What belongs to this list, and forwarding should somebody have turned it off. Raises LayoutError."""
        if not (self._manage_routes or self._masquerade or self._forwarding):
            return
        own = self._own_networks()
        try:
            self._make(clients, own)
        finally:
            if self._forwarding:
                self._forward(own[1], again=True)

    def _make(self, clients: ClientList, own: tuple[int, tuple[Network, ...]]) -> None:
        # An interface that was brought up anew has another index, and lost its routes.
        made = (own, [client.allowed_ips for client in clients.clients])
        if made == self._made:
            return
        self._made = None
        beyond = outside((prefix for client in clients.clients for prefix in client.allowed_ips), own[1])
        if self._masquerade:
            self._kernel.run(
                ["nft", "-f", "-"], masquerading([*own[1], *beyond, *self._also], self._masquerade)
            )
        if self._manage_routes:
            self._route(beyond)
        self._made = made

    def _own_networks(self) -> tuple[int, tuple[Network, ...]]:
        """The interface's index and networks."""
        (told,) = json.loads(self._kernel.run(["ip", "-json", "address", "show", "dev", self._interface], ""))
        networks = (
            ipaddress.ip_network(f"{one['local']}/{one['prefixlen']}", strict=False)
            for one in told["addr_info"]
            if one["scope"] == "global"
        )
        return int(told["ifindex"]), tuple(sorted(networks, key=str))

    def _route(self, wanted: Collection[Network]) -> None:
        ours = []
        for version in (4, 6):
            show = [
                "ip",
                f"-{version}",
                "-json",
                "route",
                "show",
                "dev",
                self._interface,
                "proto",
                str(PROTOCOL),
            ]
            ours += [
                ipaddress.ip_network(one["dst"]) for one in json.loads(self._kernel.run(show, "") or "[]")
            ]
        for version, text in route_lines(wanted, ours, self._interface).items():
            self._kernel.run(["ip", f"-{version}", "-force", "-batch", "-"], text)

    def _forward(self, own: Collection[Network], *, again: bool = False) -> None:
        net = self._kernel.net
        keys = ["ipv4/ip_forward", "ipv6/conf/all/forwarding"]
        keys += [str(file.relative_to(net)) for file in net.glob("ipv6/conf/*/accept_ra")]
        present = {key: (net / key).read_text().strip() for key in keys if (net / key).exists()}
        six = any(network.version == 6 for network in own)
        for key, value in sysctls(present, six=six).items():
            try:
                (net / key).write_text(value)
            except OSError as error:
                raise LayoutError(
                    f"{net / key} cannot be set to {value}: {error.strerror}; under systemd, "
                    "`ProtectKernelTunables=no` lets the daemon do it, or set it yourself and take forwarding = true away"
                ) from None
            said = "forwarding was off, set again" if again else "forwarding"
            say(log, said, level=logging.WARNING if again else logging.INFO, key=key, value=value)


def take_away(kernel: Kernel, table: str) -> None:
    """Delete a table of ours, should an earlier configuration have made it. Raises LayoutError."""
    try:
        tables = kernel.run(["nft", "list", "tables"], "")
    except LayoutError:
        return  # Without nft there is none of ours.
    if f"table {table}" in tables.splitlines():
        kernel.run(["nft", "-f", "-"], f"{without(table)}\n")
