"""The routes that lead into the tunnel, and the ones beneath that stop traffic when the tunnel is gone.

A userspace WireGuard that dies takes its interface and all its routes along, and traffic would go out in clear by
the next best route. A blackhole of the worst metric is what is left then.
"""

import ipaddress
import json
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from client_sync.deadend import LAST_METRIC
from client_sync.tunnels.programs import LayoutError, run


def route_commands(prefixes: Iterable[str], interface: str, mark: int | None) -> list[list[str]]:
    """The `ip` commands, as argument lists, that lead these prefixes into the interface.

    A default route goes into the table that wg-quick(8) makes for a full tunnel, whose number is the firewall mark.
    Raises LayoutError for a default route on an interface without a mark: its own packets would go in circles.
    """
    commands = []
    for network in sorted({ipaddress.ip_network(prefix) for prefix in prefixes}, key=str):
        if network.prefixlen == 0 and mark is None:
            raise LayoutError(
                f"{network} is to be routed through {interface}, which has no firewall mark: bring it up with "
                "wg-quick and a peer with AllowedIPs = 0.0.0.0/0, which sets the mark and the policy routing, or "
                "set manage_routes = false and route by hand"
            )
        table = ["table", str(mark)] if network.prefixlen == 0 else []
        family = f"-{network.version}"
        last = ["metric", str(LAST_METRIC)]
        commands += [
            ["ip", family, "route", "replace", "blackhole", str(network), *last, *table],
            ["ip", family, "route", "replace", str(network), "dev", interface, *table],
        ]
    return commands


def rule_commands(prefixes: Iterable[str], mark: int | None, rules: Mapping[int, str]) -> list[list[str]]:
    """The `ip` commands that keep a full tunnel from leaking the family that it does not carry.

    A tunnel with a default route of one family alone would let all of the other out in clear. That family is led into
    the mark's table too, and finds nothing but "unreachable" there: programs see at once that they must use the other.

    Args:
        prefixes: what is routed through the tunnel.
        mark: the interface's firewall mark.
        rules: what `ip rule show` prints, by family (4, 6); a family that the kernel does not have is absent.

    Raises:
        LayoutError: a family is carried, and no rule leads into the table: its traffic would go out in clear.

    """
    carried = {
        network.version for prefix in prefixes if (network := ipaddress.ip_network(prefix)).prefixlen == 0
    }
    if not carried or mark is None:
        return []
    commands = []
    for family in sorted(rules):
        led = (
            re.search(rf"not from all fwmark (0x{mark:x}|{mark}) lookup {mark}\b", rules[family]) is not None
        )
        if family in carried and not led:
            raise LayoutError(
                f"there is a default route for `ip -{family}` through the tunnel, and no rule that leads to it: bring "
                f"the interface up with wg-quick, or `ip -{family} rule add not fwmark {mark} table {mark}` and "
                f"`ip -{family} rule add table main suppress_prefixlength 0`, or set manage_routes = false"
            )
        if family in carried:
            continue
        ip = ["ip", f"-{family}"]
        last = ["metric", str(LAST_METRIC), "table", str(mark)]
        commands.append([*ip, "route", "replace", "unreachable", "default", *last])
        if not led:
            # The second is looked at first: what is on-link, and any route but a default one, stays as it is.
            commands.append([*ip, "rule", "add", "not", "fwmark", str(mark), "table", str(mark)])
        if "suppress_prefixlength 0" not in rules[family]:
            commands.append([*ip, "rule", "add", "table", "main", "suppress_prefixlength", "0"])
    return commands


def set_routes(prefixes: Collection[str], interface: str, mark: int | None) -> None:
    """Run them all. Raises LayoutError."""
    for command in route_commands(prefixes, interface, mark):
        run(command)
    for command in _rule_commands(prefixes, mark):
        run(command)


def are_set(prefixes: Collection[str], interface: str, mark: int | None) -> bool:
    """Whether all that they made is still there. Raises LayoutError, also for a rule of others' that is not."""
    wanted = {(prefix, _table(ipaddress.ip_network(prefix), mark)) for prefix in map(_network, prefixes)}
    have = set()
    for version in {ipaddress.ip_network(prefix).version for prefix in prefixes}:
        shown = run(["ip", f"-{version}", "-json", "route", "show", "table", "all", "dev", interface])
        for one in json.loads(shown or "[]"):
            dst = one["dst"] if one["dst"] != "default" else ("0.0.0.0/0" if version == 4 else "::/0")
            have.add((_network(dst), one.get("table", "main")))
    return wanted <= have and not any("rule" in command for command in _rule_commands(prefixes, mark))


def _rule_commands(prefixes: Collection[str], mark: int | None) -> list[list[str]]:
    if mark is None or not any(ipaddress.ip_network(prefix).prefixlen == 0 for prefix in prefixes):
        return []
    # Of IPv6, only where the kernel has it.
    families = (4, 6) if Path("/proc/sys/net/ipv6").exists() else (4,)
    return rule_commands(
        prefixes, mark, {family: run(["ip", f"-{family}", "rule", "show"]) for family in families}
    )


def _network(prefix: str) -> str:
    return str(ipaddress.ip_network(prefix))


def _table(network: ipaddress.IPv4Network | ipaddress.IPv6Network, mark: int | None) -> str:
    return str(mark) if network.prefixlen == 0 else "main"
