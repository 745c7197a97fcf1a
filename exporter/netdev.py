"""A network device as values, in the kernel's own words. It is the same for kernel and userspace WireGuard."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

COUNTERS = (
    *(
        "rx_bytes",
        "rx_packets",
        "rx_errors",
        "rx_dropped",
        "rx_fifo",
        "rx_frame",
        "rx_compressed",
        "multicast",
    ),
    *("tx_bytes", "tx_packets", "tx_errors", "tx_dropped"),
)
"""The columns of /proc/net/dev as far as they are wanted (proc(5))."""


class Backend(StrEnum):
    """Who does a WireGuard interface's work."""

    KERNEL = "kernel"
    USERSPACE = "userspace"


@dataclass(frozen=True, slots=True)
class Netdev:
    """A network device."""

    up: bool
    """Administratively."""
    mtu: int
    """Bytes."""
    counters: Mapping[str, int]
    """By the names in COUNTERS."""


def counters_of(device: str, table: str) -> dict[str, int] | None:
    """The device's line of /proc/net/dev, or None if it has none."""
    for line in table.splitlines():
        name, colon, numbers = line.rpartition(":")  # Of an alias, as eth0:1, the name has a colon, too.
        if colon and name.strip() == device:
            return dict(zip(COUNTERS, map(int, numbers.split()), strict=False))
    return None
