"""Connection marks: each connection remembers the interface that it leaves by, so that a drain can keep it there. Pure.

Whatever leaves by a worker's interface gets that worker's mark, each time anew: a connection that had to move belongs to
its new worker from then on, and does not go back when the old one returns. A rule of routing.py does the rest.
"""

from collections.abc import Collection, Iterable, Mapping
from ipaddress import ip_address

TABLE = "wgfleet"
ECHO_TO = {4: "ip daddr {} icmp type echo-request", 6: "ip6 daddr {} icmpv6 type echo-request"}


def ruleset(
    mark: int, devices: Mapping[str, int], addresses: Collection[str], target: str | None = None
) -> str:
    """The table, for one `nft -f -`: it replaces the former one in one step.

    Args:
        mark: the tunnels' own packets have it. What comes back of them gets it too, so that a strict rp_filter finds them
            where they should be.
        devices: the mark of each worker's interface.
        addresses: the workers' own inside the tunnel. Each has a route of its own, so nothing to them moves; and probes
            would count as connections.
        target: an address beyond the workers that is probed through each: such probes are no connections either, and
            each belongs to its interface, whichever worker is active.

    """
    leaving = [
        f"{'ip' if family == 4 else 'ip6'} daddr {{ {', '.join(own)} }} return"
        for family in (4, 6)
        if (own := sorted({address for address in addresses if ip_address(address).version == family}))
    ]
    if target is not None:
        leaving.append(f"{ECHO_TO[ip_address(target).version].format(target)} return")
    leaving.append(f"meta mark {mark} ct mark set {mark}")
    sending = []
    numbers = [str(number) for number in sorted(devices.values())]
    if devices:
        marks = ", ".join(f'"{device}" : {number}' for device, number in sorted(devices.items()))
        leaving.append(f"ct mark set oifname map {{ {marks} }}")
        sending.append(f"ct mark {{ {', '.join(numbers)} }} meta mark set ct mark")
    arriving = [f"ct mark {{ {', '.join([str(mark), *numbers])} }} meta mark set ct mark"]
    return "\n".join(
        [
            f"table inet {TABLE} {{}}",
            f"delete table inet {TABLE}",
            f"table inet {TABLE} {{",
            *_chain("leaving", "type filter hook postrouting priority mangle", leaving),
            *_chain("sending", "type route hook output priority mangle", sending),
            *_chain("arriving", "type filter hook prerouting priority mangle", arriving),
            "}\n",
        ]
    )


def _chain(name: str, hook: str, rules: Iterable[str]) -> list[str]:
    return [f"  chain {name} {{", f"    {hook}; policy accept;", *(f"    {rule}" for rule in rules), "  }"]
