"""A client of the lab whose daemon makes its one interface."""

import contextlib
import os
import signal
from pathlib import Path

from tests.lab import addresses
from tests.lab.bare import BareClient
from tests.lab.waiting import wait_until
from wgfleet.device import Device
from wgfleet.dump import parse_dump

NAME = "wg0"
GONE_SECONDS = 10.0


class OwnClient(BareClient):
    """Its daemon has the key and the address, and nobody else brings anything up."""

    def settings(self) -> dict[str, object]:
        """What the daemon's configuration says of the interface."""
        return {
            "interface": NAME,
            "private_key_file": str(self.home / "private.key"),
            "addresses": [self.tunnel_address],
            "firewall_mark": addresses.FIREWALL_MARK,
        }

    def active(self) -> str | None:
        """The worker whose peer has the default route."""
        if not self.there:
            return None
        held = [peer for peer in self.device().peers if "0.0.0.0/0" in peer.allowed_ips]
        ends = {f"{addresses.worker_underlay(n)}:{addresses.LISTEN_PORT}": n for n in range(1, 65)}
        return addresses.worker_name(ends[held[0].endpoint or ""]) if held else None

    @property
    def there(self) -> bool:
        """Whether the interface is."""
        return f" {NAME}: " in self.run("ip", "-oneline", "link", "show")

    def device(self) -> Device:
        """The interface, read by the real `wg`."""
        return parse_dump(NAME, self.run("wg", "show", NAME, "dump").encode())

    def index(self) -> str:
        """The kernel's number of it."""
        assert self._number(), f"there is no {NAME}"
        return self._number()

    def led(self) -> str:
        """All rules, and the routes of the tunnel's table, of both families."""
        table = addresses.FIREWALL_MARK
        # A table without any route is none to the kernel.
        asked = [
            f"ip {family} rule show; ip {family} route show table {table} 2>/dev/null || true"
            for family in ("-4", "-6")
        ]
        return self.run("/bin/sh", "-c", "; ".join(asked))

    def delete(self) -> None:
        """Somebody deletes the interface."""
        self.run("ip", "link", "delete", "dev", NAME)

    def kill_wireguard(self) -> bool:
        """Kill this machine's userspace WireGuard; False: it has none, but the kernel's."""
        number = self._number()
        here = Path(f"/proc/{self.pid}/ns/net").readlink()
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (process / "cmdline").read_bytes().split(b"\0")
                if words[0].endswith(b"wireguard-go") and (process / "ns" / "net").readlink() == here:
                    os.kill(int(process.name), signal.SIGKILL)
                    # Its interface goes when the process has ended, not when it was told to.
                    wait_until(lambda: self._number() != number, GONE_SECONDS, "the interface to go")
                    return True
        return False

    def _number(self) -> str:
        return self.run("/bin/sh", "-c", f"cat /sys/class/net/{NAME}/ifindex 2>/dev/null || true").strip()
