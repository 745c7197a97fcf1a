"""Who made an interface, where that can be told: each program that manages networks is asked for what it knows."""

import re
from pathlib import Path

from client_sync.adopting.found import Maker
from client_sync.tunnels.programs import LayoutError, run

WG_QUICK = Path("/etc/wireguard")
TIMEOUT_SECONDS = 5.0
"""One that has not answered by then is stopped or not there: it is not known then."""


def makers(interface: str) -> tuple[Maker, ...]:
    """All that say so; none: somebody by hand, or something unknown."""
    asked = (_wg_quick(interface), _networkd(interface), _network_manager(interface))
    return tuple(maker for maker in asked if maker is not None)


def _wg_quick(interface: str) -> Maker | None:
    file = WG_QUICK / f"{interface}.conf"
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        return None
    saves = any(re.match(r"\s*SaveConfig\s*=\s*true\b", line, re.IGNORECASE) for line in lines)
    return Maker("wg-quick", str(file), saves=saves)


def _networkd(interface: str) -> Maker | None:
    said = _answer("networkctl", "--no-pager", "--full", "status", "--", interface)
    found = re.search(r"^\s*Network File:\s*(/\S+)", said, re.MULTILINE)
    return None if found is None else Maker("systemd-networkd", found[1])


def _network_manager(interface: str) -> Maker | None:
    said = _answer(
        "nmcli", "-g", "GENERAL.STATE,GENERAL.CONNECTION", "device", "show", interface
    ).splitlines()
    if len(said) < 2 or not said[1] or "externally" in said[0]:
        return None
    routes = _answer("nmcli", "-g", "wireguard.peer-routes", "connection", "show", "id", said[1]).strip()
    return Maker("NetworkManager", said[1], peer_routes=routes in {"yes", "true"})


def _answer(*command: str) -> str:
    try:
        return run(command, seconds=TIMEOUT_SECONDS)
    except LayoutError:
        return ""
