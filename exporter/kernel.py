"""The door to what the kernel says of its network devices.

By /proc/net and by ioctl, both of which answer for the network namespace of whoever asks; /sys would go on showing the one
that it was mounted in.
"""

import errno
import fcntl
import socket
import struct
from pathlib import Path

from exporter.netdev import Backend, Netdev, counters_of

IFF_UP = 0x1
"""linux/if.h. Not the operational state: WireGuard has no carrier to lose, and it is always unknown."""
SIOCGIFFLAGS, SIOCGIFMTU = 0x8913, 0x8921
"""linux/sockios.h."""
FLAGS, MTU = struct.Struct("16sH22x"), struct.Struct("16si20x")
"""linux/if.h, struct ifreq: a name, and a union of which the beginning is the flags, or the MTU."""

SOCKETS = Path("/run/wireguard")
"""Where userspace WireGuards put their sockets, by which `wg` finds them."""


def read_netdev(interface: str, *, table: Path = Path("/proc/net/dev")) -> Netdev | None:
    """The device as it is now, or None if there is none of that name.

    Raises:
        OSError: the kernel would not say.
        ValueError: it says something unknown.

    """
    counters = counters_of(interface, table.read_text())
    if counters is None:
        return None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = FLAGS.pack(interface.encode(), 0)
        try:
            _, flags = FLAGS.unpack(fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))
            _, mtu = MTU.unpack(fcntl.ioctl(any_socket, SIOCGIFMTU, request))
        except OSError as error:
            if error.errno == errno.ENODEV:  # It went while we looked.
                return None
            raise
    return Netdev(up=bool(flags & IFF_UP), mtu=mtu, counters=counters)


def backend_of(interface: str) -> Backend:
    """Who does the interface's work, found as `wg` finds it."""
    return Backend.USERSPACE if (SOCKETS / f"{interface}.sock").exists() else Backend.KERNEL
