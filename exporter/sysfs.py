"""The door to /sys, where the kernel shows its network devices."""

from pathlib import Path

from exporter.netdev import COUNTERS, Netdev

IFF_UP = 0x1
"""linux/if.h. Not `operstate`: WireGuard has no carrier to lose, and it always says `unknown`."""


def read_netdev(interface: str, *, sysfs: Path) -> Netdev | None:
    """The device as it is now, or None if there is none of that name.

    Raises:
        OSError: /sys is not there, or not readable.
        ValueError: it says something unknown.

    """
    device = sysfs / "class" / "net" / interface
    if device not in device.parent.iterdir():
        return None
    return Netdev(
        up=bool(int((device / "flags").read_text(), 16) & IFF_UP),
        mtu=int((device / "mtu").read_text()),
        counters={name: int((device / "statistics" / name).read_text()) for name in COUNTERS},
    )
