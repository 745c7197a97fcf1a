"""The routes that lead into the tunnel, and the ones beneath that stop traffic when the tunnel is gone.

A userspace WireGuard that dies takes its interface and all its routes along, and traffic would go out in clear by
the next best route. A blackhole of the worst metric is what is left then.
"""

import ipaddress
import subprocess
from collections.abc import Iterable

LAST_METRIC = 4278198272
"""Behind any route that people or programs set; Debian's NetworkManager uses the same for its unreachable ones."""
TIMEOUT_SECONDS = 10.0


class RouteError(RuntimeError):
    """The routes could not be set; the text says what to do next."""


def route_commands(prefixes: Iterable[str], interface: str, mark: int | None) -> list[list[str]]:
    """The `ip` commands, as argument lists, that lead these prefixes into the interface.

    A default route goes into the table that wg-quick(8) makes for a full tunnel, whose number is the firewall mark.
    Raises RouteError for a default route on an interface without a mark: its own packets would go in circles.
    """
    commands = []
    for network in sorted({ipaddress.ip_network(prefix) for prefix in prefixes}, key=str):
        table: list[str] = []
        if network.prefixlen == 0:
            if mark is None:
                raise RouteError(
                    f"{network} is to be routed through {interface}, which has no firewall mark: bring it up with "
                    "wg-quick and a peer with AllowedIPs = 0.0.0.0/0, which sets the mark and the policy routing, or "
                    "set manage_routes = false and route by hand"
                )
            table = ["table", str(mark)]
        family = f"-{network.version}"
        last = ["metric", str(LAST_METRIC)]
        commands += [
            ["ip", family, "route", "replace", "blackhole", str(network), *last, *table],
            ["ip", family, "route", "replace", str(network), "dev", interface, *table],
        ]
    return commands


def set_routes(prefixes: Iterable[str], interface: str, mark: int | None) -> None:
    """Run them. Raises RouteError."""
    for command in route_commands(prefixes, interface, mark):
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except (FileNotFoundError, subprocess.TimeoutExpired) as error:
            raise RouteError(f"`{' '.join(command)}` could not be run: {error}") from None
        if done.returncode != 0:
            raise RouteError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
