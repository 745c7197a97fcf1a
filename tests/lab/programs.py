"""Where the programs are that the lab runs."""

import os
import shutil
from pathlib import Path

PARTS = Path(__file__).parents[2] / ".parts" / "usr" / "bin"
"""Where tools/parts.sh unpacks Debian's daemons, so that none of them is installed and started on the machine."""

LIBRARIES = PARTS.parent / "lib"
"""Theirs, in a folder for the kind of machine."""

PACKAGES = {
    "amtool": "prometheus-alertmanager",
    "bridge": "iproute2",
    "env": "coreutils",
    "ip": "iproute2",
    "nft": "nftables",
    "nsenter": "util-linux",
    "prometheus": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "prometheus-blackbox-exporter": "prometheus-blackbox-exporter",
    "promtool": "prometheus",
    "setpriv": "util-linux",
    "unshare": "util-linux",
    "wg": "wireguard-tools",
    "wg-quick": "wireguard-tools",
    "wireguard-go": "wireguard-go",
}
"""Debian's package of each program."""

LAB = ("bridge", "env", "ip", "nft", "nsenter", "setpriv", "unshare", "wg")
"""What the network itself needs; `wireguard-go` too where the kernel has no WireGuard."""

MONITORING = ("prometheus", "prometheus-alertmanager", "prometheus-blackbox-exporter", "promtool", "amtool")
"""What the monitoring host runs."""

BENCHES = ("mosquitto", "nginx", "wrk")
"""What the benches compare the receiver with, and ask it with."""

POSTGRES = ("postgres", "initdb")
"""What several receivers share."""

ENGINES = ("mosquitto", "named", "bird", "birdc", "haproxy", *POSTGRES)
"""What the receiver stands on, feeds or stands behind, where one machine is not enough."""


class MissingProgramError(RuntimeError):
    """A program is not here; the text says how to get it."""


def search_path() -> str:
    """PATH with the folders that a plain `su` leaves out of it, then the unpacked parts."""
    unpacked = [PARTS, PARTS.parent / "sbin", *sorted(LIBRARIES.glob("postgresql/*/bin"))]
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin", *map(str, unpacked)])


def library_path() -> str:
    """For LD_LIBRARY_PATH of an unpacked program: where its libraries were unpacked."""
    return os.pathsep.join(str(folder) for folder in sorted(LIBRARIES.glob("*-linux-gnu*")))


def program(name: str) -> str:
    """The program's path.

    Raises:
        MissingProgramError: it is nowhere.

    """
    path = shutil.which(name, path=search_path())
    if path is None:
        raise MissingProgramError(f"there is no program `{name}` here: {how_to_get(name)}")
    return path


def how_to_get(name: str) -> str:
    """What to do so that the program is here."""
    if name in MONITORING + BENCHES + ENGINES:
        return "run tools/parts.sh, which unpacks Debian's package into .parts and installs nothing"
    return f"install the package {PACKAGES.get(name, name)} (apt-get install {PACKAGES.get(name, name)})"
