"""A network device as a value, in the kernel's own words. It is the same for kernel and userspace WireGuard."""

from collections.abc import Mapping
from dataclasses import dataclass

COUNTERS = tuple(
    f"{way}_{what}" for way in ("rx", "tx") for what in ("bytes", "packets", "errors", "dropped")
)


@dataclass(frozen=True, slots=True)
class Netdev:
    """A network device."""

    up: bool
    """Administratively."""
    mtu: int
    """Bytes."""
    counters: Mapping[str, int]
    """By the kernel's names, which are in COUNTERS."""
