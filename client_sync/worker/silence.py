"""Keeps a shared interface from speaking first: with a device that several workers know, only the device begins a session.

A worker that a device has left hears nothing more of it, and after 15 s would begin a session itself, every 5 s for 90 s.
The device takes each such word for a sign of life: it goes back to that worker if it came from the worker's own address, and
else, since its answers reach another worker, waits on without beginning one with that other.
"""

from client_sync.worker.around import Kernel, take_away
from client_sync.worker.forwarding import without
from wgfleet.clientlist import ClientList

TABLE = "inet wgfleet-shared"
"""The nftables table that is ours, as a whole."""


def silence(port: int) -> str:
    """The table, for `nft -f -`: WireGuard's first byte is 1 in what begins a session. Before connection tracking."""
    return (
        f"{without(TABLE)}\ntable {TABLE} {{\n"
        "  chain output {\n"
        "    type filter hook output priority raw;\n"
        f"    udp sport {port} @th,64,8 1 counter drop\n"
        "  }\n"
        "}\n"
    )


class Silence:
    """Sees to it; to be used from one thread at a time."""

    def __init__(self, interface: str | None, kernel: Kernel) -> None:
        """Name the shared interface; None: what an earlier configuration had made goes."""
        self._interface = interface
        self._kernel = kernel

    def begin(self) -> None:
        """What no list is needed for. Raises LayoutError."""
        if self._interface is None:
            take_away(self._kernel, TABLE)
        else:
            self._keep(self._interface)

    def __call__(self, _clients: ClientList) -> None:
        """Again with each look: the port may be another, and rules are easily flushed. Raises LayoutError."""
        if self._interface is not None:
            self._keep(self._interface)

    def _keep(self, interface: str) -> None:
        port = int(self._kernel.run(["wg", "show", interface, "listen-port"], ""))
        self._kernel.run(["nft", "-f", "-"], silence(port))
