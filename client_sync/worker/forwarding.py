"""What a worker needs beside its peers, as texts for the kernel's programs. Pure: values in, values out."""

import ipaddress
from collections.abc import Collection, Iterable, Mapping, Sequence

PROTOCOL = 158
"""Stands with each route that is ours, as `ip route show proto 158` lists them. No other program is known to use it."""
TABLE = "inet wgfleet"
"""The nftables table that is ours, as a whole."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def masquerading(sources: Iterable[Network], devices: Sequence[str]) -> str:
    """The table, for `nft -f -`: one transaction in which the old one goes and the new one comes.

    By source address and not by interface of entry: so the worker's own probe of the way out, which is sent from its
    tunnel address, meets the same rules as a client's packets.
    """
    lines = [without(TABLE)]
    if devices:
        out = ", ".join(f'"{device}"' for device in devices)
        lines += [
            f"table {TABLE} {{",
            "  chain postrouting {",
            "    type nat hook postrouting priority srcnat;",
        ]
        for version, word in ((4, "ip"), (6, "ip6")):
            of_version = [network for network in sources if network.version == version]
            if of_version:
                said = ", ".join(map(str, ipaddress.collapse_addresses(of_version)))  # type: ignore[type-var] # Of one version.
                lines.append(f"    oifname {{ {out} }} {word} saddr {{ {said} }} masquerade")
        lines += ["  }", "}"]
    return "\n".join(lines) + "\n"


def without(table: str) -> str:
    """What takes a table away, whether it is there or not: declared first, because one that is not cannot be deleted."""
    return f"table {table} {{}}\ndelete table {table}"


def outside(prefixes: Iterable[str], own: Collection[Network]) -> list[Network]:
    """The networks that the interface's own addresses do not lead to already."""
    networks = map(ipaddress.ip_network, prefixes)
    return [
        network for network in networks if network.prefixlen and not any(within(network, one) for one in own)
    ]


def route_lines(wanted: Iterable[Network], ours: Iterable[Network], interface: str) -> dict[int, str]:
    """What `ip -batch -` shall do, for each family: add what is missing, and take away what was ours and is not wanted.

    Added and not replaced: where a network is reached another way already, that way stays.
    """
    wanted, ours = set(wanted), set(ours)
    said = {}
    for version in (4, 6):
        lines = [("del", network) for network in ours - wanted] + [
            ("add", network) for network in wanted - ours
        ]
        of_version = [(word, network) for word, network in lines if network.version == version]
        said[version] = "".join(
            f"route {word} {network} dev {interface} proto {PROTOCOL}\n"
            for word, network in sorted(of_version, key=str)
        )
    return {version: text for version, text in said.items() if text}


def sysctls(present: Mapping[str, str], *, six: bool) -> dict[str, str]:
    """What to write so that packets are forwarded; `present` is what the kernel says, by path below /proc/sys/net.

    A machine that forwards IPv6 believes no router any more, and would lose its own default route: where it did, it goes
    on doing so.
    """
    wanted = {"ipv4/ip_forward": "1"}
    if six and present.get("ipv6/conf/all/forwarding") != "1":
        believed = {key for key, value in present.items() if key.endswith("/accept_ra") and value == "1"}
        wanted |= dict.fromkeys(sorted(believed), "2") | {"ipv6/conf/all/forwarding": "1"}
    return {key: value for key, value in wanted.items() if present.get(key) != value}


def within(network: Network, other: Network) -> bool:
    """Whether all of the first lies in the other."""
    return network.version == other.version and network.subnet_of(other)  # type: ignore[arg-type] # Of one version.
