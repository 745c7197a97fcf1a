"""The door to /proc: what the kernel says of the machine's load, as plain values.

/proc/net and the sockets' ioctls answer for the network namespace of whoever asks. /sys does not, which goes on showing
the namespace that it was mounted in: so the link's speed is asked for by ioctl, of which /sys/class/net/*/speed is
another face.
"""

import array
import fcntl
import os
import socket
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

from exporter.load import MODES, Conntrack, Cpus, Memory, Softnet, Uplink
from exporter.netdev import counters_of

SIOCETHTOOL, ETHTOOL_GSET = 0x8946, 1
"""linux/sockios.h, linux/ethtool.h. GSET is the old one, which every kernel still answers, unprivileged, too."""
IFREQ = struct.Struct("16sP16x")
"""linux/if.h, struct ifreq: a name, then a union of which a pointer is wanted."""
ETHTOOL_CMD = struct.Struct("=I8xH14xH14x")
"""linux/ethtool.h, struct ethtool_cmd: the command, and the two halves of the speed."""
UNKNOWN_SPEEDS = (0, 0xFFFF, 0xFFFFFFFF)
"""0xFFFF is what the old drivers knew to say for -1."""
BYTES_PER_MEGABIT = 125_000

RTF_UP, RTF_REJECT = 0x1, 0x200
"""linux/route.h. A default route that rejects leads nowhere."""
NO_PREFIX = "00000000"

SOFTNET_CPU_COLUMN = 12
"""Since Linux 5.10; before, a line's number is all there is to go by."""


class ProcError(ValueError):
    """The kernel says something unknown; the text says what, and where."""


class Proc:
    """What there is to read; exporter.parts.Readings describes it."""

    def __init__(
        self,
        root: Path = Path("/proc"),
        *,
        uplink: str | None = None,
        uplink_speed: float | None = None,
        link_speed: Callable[[str], float | None] | None = None,
        ticks_per_second: int | None = None,
    ) -> None:
        """Take the uplink's name, by default that of the default route, and its speed in bytes per second."""
        self._root = root
        self._uplink = uplink
        self._uplink_speed = uplink_speed
        self._link_speed = link_speed or read_link_speed
        self._ticks_per_second = ticks_per_second or os.sysconf("SC_CLK_TCK")

    def cpus(self) -> Cpus:
        """What the CPUs did since the machine began."""
        lines = [line.split() for line in self._text("stat").splitlines() if line.startswith("cpu")]
        found = {name: self._seconds(ticks) for name, *ticks in lines}
        try:
            return Cpus(found.pop("cpu"), found)
        except KeyError:
            raise self._error("stat", "no line of all CPUs, `cpu`") from None

    def softnet(self) -> Mapping[int, Softnet]:
        """What the network's soft interrupts counted, by CPU."""
        found = {}
        for number, line in enumerate(self._text("net/softnet_stat").splitlines()):
            columns = [int(column, 16) for column in line.split()]
            cpu = columns[SOFTNET_CPU_COLUMN] if len(columns) > SOFTNET_CPU_COLUMN else number
            found[cpu] = Softnet(*columns[:3])
        return found

    def conntrack(self) -> Conntrack | None:
        """What connection tracking holds; None if it is not loaded."""
        try:
            entries = self._text("sys/net/netfilter/nf_conntrack_count")
        except FileNotFoundError:
            return None
        return Conntrack(int(entries), int(self._text("sys/net/netfilter/nf_conntrack_max")))

    def uplink(self) -> Uplink | None:
        """The uplink; None if none was named and there is no default route.

        Raises:
            ProcError: there is no device of the name that was given.

        """
        device = self._uplink or self._default_device()
        counters = counters_of(device, self._text("net/dev")) if device else None
        if device is None or counters is None:
            if self._uplink:
                raise self._error("net/dev", f"no device {device!r}; the uplink must be one that is there")
            return None
        speed = self._link_speed(device) if self._uplink_speed is None else self._uplink_speed
        return Uplink(device, counters["rx_bytes"], counters["tx_bytes"], speed)

    def udp_buffer_errors(self) -> int:
        """UDP packets that did not fit into their socket's buffer, IPv4 and IPv6."""
        words = [line.split() for line in self._text("net/snmp").splitlines() if line.startswith("Udp: ")]
        named = dict(zip(*words, strict=True)) if len(words) == 2 else {}
        # Without IPv6 in the kernel there is no file of its.
        of_v6 = dict(line.split() for line in self._text_if_there("net/snmp6").splitlines())
        try:
            return int(named["RcvbufErrors"]) + int(of_v6.get("Udp6RcvbufErrors", 0))
        except KeyError:
            raise self._error("net/snmp", "no RcvbufErrors of Udp") from None

    def memory(self) -> Memory:
        """How much there is, and is left."""
        words = [line.split() for line in self._text("meminfo").splitlines()]
        kibibytes = {name: int(number) for name, number, *_ in words}
        try:
            return Memory(kibibytes["MemAvailable:"] * 1024, kibibytes["MemTotal:"] * 1024)
        except KeyError as missing:
            raise self._error("meminfo", f"no {missing.args[0]}") from None

    def forwarding(self) -> Mapping[str, bool]:
        """Whether packets are forwarded, for each family that the kernel has."""
        said = {
            "ipv4": self._text_if_there("sys/net/ipv4/ip_forward"),
            "ipv6": self._text_if_there("sys/net/ipv6/conf/all/forwarding"),
        }
        return {family: int(value) != 0 for family, value in said.items() if value}

    def _default_device(self) -> str | None:
        """By the IPv4 route of the lowest metric, or without one by the IPv6 route."""
        found = default_devices(self._text_if_there("net/route"), self._text_if_there("net/ipv6_route"))
        return found[0] if found else None

    def _seconds(self, ticks: list[str]) -> Mapping[str, float]:
        if len(ticks) < len(MODES):
            raise self._error("stat", f"{len(ticks)} columns of a CPU, fewer than {len(MODES)}")
        return {
            mode: int(number) / self._ticks_per_second for mode, number in zip(MODES, ticks, strict=False)
        }

    def _text(self, path: str) -> str:
        return (self._root / path).read_text()

    def _text_if_there(self, path: str) -> str:
        try:
            return self._text(path)
        except FileNotFoundError:
            return ""

    def _error(self, path: str, what: str) -> ProcError:
        return ProcError(f"{self._root / path}: {what}")


def default_devices(routes: str, routes_v6: str) -> list[str]:
    """The devices of the default routes in /proc/net/route and /proc/net/ipv6_route, the best first."""
    found: list[tuple[int, int, str]] = []
    for device, destination, _, flags, _, _, metric, mask, *_ in _rows(routes, 8):
        if destination == mask == NO_PREFIX and _leads(flags):
            found.append((4, int(metric), device))
    for destination, length, _, _, _, metric, _, _, flags, device in _rows(routes_v6, 10):
        if int(destination, 16) == 0 and length == "00" and _leads(flags):
            found.append((6, int(metric, 16), device))
    return [device for _, _, device in sorted(found)]


def read_link_speed(device: str) -> float | None:
    """Bytes per second of the link, or None if the device does not say: a virtual one, or one without a link."""
    command = array.array("B", ETHTOOL_CMD.pack(ETHTOOL_GSET, 0, 0))
    address, _ = command.buffer_info()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            fcntl.ioctl(any_socket, SIOCETHTOOL, IFREQ.pack(device.encode(), address))
        except OSError:
            return None
    _, low, high = ETHTOOL_CMD.unpack(command)
    megabits = low | high << 16
    return None if megabits in UNKNOWN_SPEEDS else float(megabits * BYTES_PER_MEGABIT)


def _rows(table: str, columns: int) -> list[list[str]]:
    return [row for row in map(str.split, table.splitlines()) if len(row) >= columns]


def _leads(flags: str) -> bool:
    return int(flags, 16) & (RTF_UP | RTF_REJECT) == RTF_UP
