"""Keeps a shared interface from speaking first: with a device that several workers know, only the device begins a session.

A worker that a device has left hears nothing more of it, and after 15 s would begin a session itself, every 5 s for 90 s.
The device takes each such word for a sign of life: it goes back to that worker if it came from the worker's own address, and
else, since its answers reach another worker, waits on without beginning one with that other.
"""

from collections.abc import Sequence

from client_sync.tunnels.programs import LayoutError
from client_sync.worker.around import Kernel
from wgfleet.clientlist import ClientList

TABLE = "inet wgfleet-shared"
"""The nftables table that is ours, as a whole."""
NOTHING = f"table {TABLE} {{}}\ndelete table {TABLE}\n"
"""Declared first, because a table that is not there cannot be deleted."""


def silence(port: int) -> str:
    """The table, for `nft -f -`: WireGuard's first byte is 1 in what begins a session. Before connection tracking."""
    return (
        f"{NOTHING}table {TABLE} {{\n"
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
        if self._interface is not None:
            self.see_to_it()
        elif f"table {TABLE}" in self._tables():
            self._nft(NOTHING)

    def __call__(self, _clients: ClientList) -> None:
        """Again with each look: the port may be another, and rules are easily flushed. Raises LayoutError."""
        self.see_to_it()

    def see_to_it(self) -> None:
        """Let it begin no session. Raises LayoutError."""
        if self._interface is not None:
            said = self._kernel.run(["wg", "show", self._interface, "listen-port"], "")
            self._nft(silence(int(said)))

    def _tables(self) -> Sequence[str]:
        try:
            return self._kernel.run(["nft", "list", "tables"], "").splitlines()
        except LayoutError:
            return ()  # Without nft there is none of ours.

    def _nft(self, text: str) -> None:
        self._kernel.run(["nft", "-f", "-"], text)
