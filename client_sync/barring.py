"""The kill switch's rules: what is meant for the tunnels leaves this machine by them, or not at all. Pure.

They stand behind routing, where each packet's way is decided, whoever sent it: this machine's own and those that it
forwards. So they hold whatever routes and rules say.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from client_sync.endpoints import Resolve, place
from client_sync.tunnels.routing import FAMILIES, networks
from wgfleet.names import split_endpoint
from wgfleet.peerset import PublishedWorker, WorkerState

TABLE = "wgfleet_guard"
OPEN = f"table inet {TABLE} {{}}\ndelete table inet {TABLE}\n"
"""Takes the table away, be it there or not."""
WORDS = {4: ("ip", "ipv4"), 6: ("ip6", "ipv6")}
NEIGHBOURS = (
    "nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-report, mld2-listener-report"
)
"""Without these no IPv6 packet finds the next machine, WireGuard's neither; they go no further than that."""


@dataclass(frozen=True, slots=True)
class Barred:
    """What is barred, and what is not."""

    prefixes: tuple[str, ...]
    """What may leave by the tunnels only."""
    mark: int | None = None
    """The tunnels' own packets have it, and the control connection."""
    endpoints: tuple[str, ...] = ()
    """Where the tunnels' own packets go, address and port; needed where some of them have no mark."""
    known: bool = True
    """A peer set said what is routed; else this is what is barred until one does."""
    ports: tuple[int, ...] = ()
    """Of receivers: root may connect to these, as long as no peer set is known and there is no mark."""
    asks: bool = False
    """Names may be looked up, as long as no peer set is known: a receiver's was never resolved here."""


def barred_by(
    workers: Collection[PublishedWorker], mark: int | None, resolve: Resolve, *, ours: bool
) -> Barred:
    """What these workers carry, and their own addresses.

    Args:
        workers: of the peer set.
        mark: the tunnels' firewall mark.
        resolve: gives the addresses of an endpoint's host, which may be none.
        ours: the daemon makes the tunnels, so that the mark is there before their first packet. wg-quick sets it after: were
            that packet dropped, WireGuard would send the next one 5 s later.

    """
    prefixes = {prefix for one in workers for prefix in (*one.allowed_ips, *one.tunnel_addresses)}
    by_mark = ours and mark is not None
    return Barred(tuple(sorted(prefixes)), mark, () if by_mark else _endpoints(workers, resolve))


def ruleset(barred: Barred, tunnels: str, allowed: Iterable[str]) -> str:
    """The table, for one `nft -f -`: it replaces the former one in one step.

    Args:
        barred: what is barred, and the tunnels' own packets.
        tunnels: the name of the tunnel's interface, or the begin of all of theirs and an asterisk.
        allowed: networks that may be reached in clear all the same.

    """
    allowed = tuple(allowed)
    passing = ['oifname "lo" accept', f'oifname "{tunnels}" accept']
    if barred.mark is not None:
        passing.append(f"meta mark {barred.mark} accept")
    passing += _to_endpoints(barred.endpoints)
    if barred.ports:
        passing.append(f"meta skuid 0 tcp dport {{ {', '.join(map(str, barred.ports))} }} accept")
    if barred.asks:
        passing += ["udp dport 53 accept", "tcp dport 53 accept"]
    passing += [
        "udp sport 68 udp dport 67 accept",
        "udp sport 546 udp dport 547 accept",
        f"icmpv6 type {{ {NEIGHBOURS} }} accept",
    ]
    full = any(network.prefixlen == 0 for family in FAMILIES for network in networks(barred.prefixes, family))
    for family in FAMILIES:
        word, _ = WORDS[family]
        if spared := _listed(allowed, family):
            passing.append(f"{word} daddr {{ {spared} }} accept")
    for family in FAMILIES:
        word, protocol = WORDS[family]
        if full:  # Of a full tunnel of one family alone, the other would leak.
            passing.append(f"meta nfproto {protocol} counter drop")
        elif held := _listed(barred.prefixes, family):
            passing.append(f"{word} daddr {{ {held} }} counter drop")
    return "\n".join(
        [
            f"{OPEN}table inet {TABLE} {{",
            "  chain leaving {",
            "    type filter hook postrouting priority filter; policy accept;",
            *(f"    {rule}" for rule in passing),
            "  }",
            "}\n",
        ]
    )


def _listed(prefixes: Iterable[str], family: int) -> str:
    return ", ".join(str(network) for network in networks(prefixes, family))


def _endpoints(workers: Collection[PublishedWorker], resolve: Resolve) -> tuple[str, ...]:
    found: set[str] = set()
    for worker in workers:
        for endpoint in worker.endpoints if worker.state is not WorkerState.BANNED else ():
            host, port = split_endpoint(endpoint)
            found |= {place(address, port) for address in resolve(host, port)}
    return tuple(sorted(found))


def _to_endpoints(endpoints: Iterable[str]) -> list[str]:
    found = [split_endpoint(endpoint) for endpoint in sorted(endpoints)]
    return [
        f"{WORDS[family][0]} daddr . udp dport {{ {', '.join(own)} }} accept"
        for family in FAMILIES
        if (own := [f"{host} . {port}" for host, port in found if ip_address(host).version == family])
    ]
