"""Interfaces that the daemon makes itself: made, given key, mark and addresses, removed."""

import contextlib
import fcntl
import json
import os
import socket
import struct
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from client_sync.tunnels.programs import LayoutError, run

SETTINGS = Path("/proc/sys/net/ipv4/conf")
LOOSE = 2
"""rp_filter: a packet of an old connection may come by an interface that new ones do not take."""
IFREQ = struct.Struct("16sH22x")
"""A name and flags, as netdevice(7) has them."""
SIOCGIFFLAGS, IFF_UP = 0x8913, 1
IFREQ_MTU = struct.Struct("16si20x")
SIOCGIFMTU = 0x8921
LISTENING_SECONDS = 2.0
"""A userspace WireGuard that `wg` cannot talk to by then has failed."""


class Implementation(StrEnum):
    """Whose WireGuard."""

    AUTO = "auto"
    """The kernel's, or where it has none, wireguard-go."""
    KERNEL = "kernel"
    USERSPACE = "userspace"


@dataclass(frozen=True, slots=True)
class Dress:
    """What all interfaces have alike."""

    private_key_file: Path
    mark: int
    addresses: tuple[str, ...]
    """The client's own inside the tunnel; where there are several tunnels, without prefix length: a network would belong to
    one interface only."""


def links() -> dict[str, bool]:
    """All interfaces there are, and whether each is up."""
    found = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        for _, name in socket.if_nameindex():
            request = IFREQ.pack(name.encode(), 0)
            with contextlib.suppress(OSError):  # It went between the two questions.
                _, flags = IFREQ.unpack(fcntl.ioctl(door, SIOCGIFFLAGS, request))
                found[name] = bool(flags & IFF_UP)
    return found


def addresses(interface: str) -> list[str]:
    """The interface's own, with their prefix lengths. Raises LayoutError."""
    shown = json.loads(run(["ip", "-json", "address", "show", "dev", interface]) or "[]")
    return [f"{one['local']}/{one['prefixlen']}" for entry in shown for one in entry.get("addr_info", ())]


def make(interface: str, implementation: Implementation) -> None:
    """Make a WireGuard interface. Raises LayoutError."""
    said = []
    if implementation is not Implementation.USERSPACE:
        try:
            run(["ip", "link", "add", "dev", interface, "type", "wireguard"])
        except LayoutError as error:
            said.append(str(error))
        else:
            return
    if implementation is not Implementation.KERNEL:
        try:
            # It goes on in the background, in a session of its own: what ends this daemon does not end the tunnel. A log
            # level would keep our ends of its output open.
            environment = {key: value for key, value in os.environ.items() if key != "LOG_LEVEL"}
            run(["wireguard-go", interface], environment=environment, new_session=True)
        except LayoutError as error:
            said.append(str(error))
        else:
            return
    raise LayoutError(
        f"no WireGuard interface can be made: {'; '.join(said)}: "
        "load the kernel's module (`modprobe wireguard`), or install the package wireguard-go"
    )


def dress(interface: str, what: Dress, mtu: int | None) -> None:
    """Give it key, mark and addresses, and take it up. The key goes by the name of its file. Raises LayoutError."""
    keyed = ["wg", "set", interface, "private-key", str(what.private_key_file), "fwmark", str(what.mark)]
    _until_listening(keyed)
    for address in what.addresses:
        six = ["nodad"] if ":" in address else []
        run(["ip", "address", "replace", address, "dev", interface, *six])
    run(["ip", "link", "set", "dev", interface, *(["mtu", str(mtu)] if mtu else []), "up"])
    _loosen(interface)


def fit(interface: str, mtu: int) -> None:
    """Give it this MTU, if it has another. Raises LayoutError, OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        _, has = IFREQ_MTU.unpack(fcntl.ioctl(door, SIOCGIFMTU, IFREQ_MTU.pack(interface.encode(), 0)))
    if has != mtu:
        run(["ip", "link", "set", "dev", interface, "mtu", str(mtu)])


def strict_beside(interface: str) -> bool:
    """Whether any other interface, or one to come, drops what arrives where no answer would leave."""
    everywhere = _setting("all", "rp_filter")
    others = {one.name for one in SETTINGS.iterdir()} - {"all", "lo", interface}
    return any(max(everywhere, _setting(one, "rp_filter")) == 1 for one in others)


def remove(interface: str) -> None:
    """Delete it; a userspace WireGuard ends with its interface. Raises LayoutError."""
    run(["ip", "link", "delete", "dev", interface])


def _until_listening(command: list[str]) -> None:
    """The first call to a userspace WireGuard that has just begun to listen may fail."""
    deadline = time.monotonic() + LISTENING_SECONDS
    while True:
        try:
            run(command)
        except LayoutError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _loosen(interface: str) -> None:
    """Of several settings of rp_filter the strictest counts least: the kernel takes the highest number."""
    strict = max(_setting("all", "rp_filter"), _setting(interface, "rp_filter")) == 1
    wrong = [(interface, "rp_filter", LOOSE)] if strict else []
    if not _setting("all", "src_valid_mark"):
        wrong.append(("all", "src_valid_mark", 1))
    for where, name, value in wrong:
        try:
            (SETTINGS / where / name).write_text(str(value))
        except OSError as error:
            raise LayoutError(
                f"net.ipv4.conf.{where}.{name} cannot be set ({error.strerror}): packets that come out of a tunnel "
                f"would be dropped: `sysctl -w net.ipv4.conf.{where}.{name}={value}`, or let the service write it "
                "(ProtectKernelTunables=no)"
            ) from None


def _setting(where: str, name: str) -> int:
    return int((SETTINGS / where / name).read_text())
