"""Which routes and rules lead traffic into the tunnels, and what must change so that the kernel has them. Pure.

    30099  to the probes' target, bound to a worker's interface: that worker's table
    30100  to each routed network: what main says more specifically than the network itself, as a LAN
    30101  with a worker's mark:   that worker's table; only while connections are kept on it
    30102  without our mark:       the table of all, where the routed networks lead to the active worker

The table of all has a dead end beneath each network, of the worst metric: an interface that dies takes its routes along,
and what was meant for the tunnel must not go out in clear then.
"""

import ipaddress
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from client_sync.deadend import LAST_METRIC

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

BEYOND, SPARE, PIN, LEAD = 30099, 30100, 30101, 30102
"""The rules' priorities: in front of the table main (32766), and behind what VPNs of other kinds commonly take."""
FAMILIES = (4, 6)
EVERYTHING = {4: "0.0.0.0/0", 6: "::/0"}


@dataclass(frozen=True, slots=True)
class Route:
    """One route of a table of ours."""

    table: int
    prefix: str
    device: str | None
    """None: a dead end."""
    kind: str = "unicast"
    """Of a dead end `blackhole`, or `unreachable`, which tells the sender."""

    @property
    def place(self) -> tuple[int, str, bool]:
        """What `ip route replace` replaces by: another route in the same place takes it over in one step."""
        return self.table, self.prefix, self.device is None

    def __str__(self) -> str:
        """Say it in ip-route(8)'s words."""
        if self.device is None:
            return f"{self.kind} {self.prefix} metric {LAST_METRIC} table {self.table}"
        return f"{self.prefix} dev {self.device} table {self.table}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of ours."""

    priority: int
    table: str
    mark: int | None = None
    unmarked: bool = False
    """What does not have the mark."""
    to: str | None = None
    suppress: int | None = None
    """Routes of at most this prefix length are not looked at."""
    device: str | None = None
    """What is bound to this interface."""

    def __str__(self) -> str:
        """Say it in ip-rule(8)'s words."""
        words = [f"pref {self.priority}"]
        if self.to is not None:
            words.append(f"to {self.to}")
        if self.device is not None:
            words.append(f"oif {self.device}")
        if self.mark is not None:
            words.append(f"{'not ' if self.unmarked else ''}fwmark {self.mark}")
        words.append(f"table {self.table}")
        if self.suppress is not None:
            words.append(f"suppress_prefixlength {self.suppress}")
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Tables:
    """Routes and rules of one family, as far as they are ours."""

    routes: frozenset[Route] = frozenset()
    rules: frozenset[Rule] = frozenset()


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A worker's interface that is there."""

    device: str
    mark: int
    """The number of its table, too."""
    addresses: tuple[str, ...]
    """The worker's own, inside the tunnel."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be led where."""

    mark: int
    """The tunnels' own packets have it; the number of the table of all, too."""
    prefixes: tuple[str, ...]
    """All that is routed through whichever worker is active."""
    tunnels: Mapping[str, Tunnel]
    """By worker."""
    active: str | None
    pinned: frozenset[str]
    """The workers that keep their connections: the active one, and those being drained."""
    target: str | None = None
    """An address beyond the workers that is probed by each one's own interface."""


def networks(prefixes: Iterable[str], family: int) -> list[Network]:
    """The prefixes of one family without those that others contain: two halves of everything are everything."""
    parsed = {ipaddress.ip_network(prefix) for prefix in prefixes}
    if family == 4:
        return list(
            ipaddress.collapse_addresses(one for one in parsed if isinstance(one, ipaddress.IPv4Network))
        )
    return list(ipaddress.collapse_addresses(one for one in parsed if isinstance(one, ipaddress.IPv6Network)))


def wanted(plan: Plan, family: int) -> Tables:
    """All routes and rules of one family.

    Of a full tunnel of the other family alone, everything of this one is led to "unreachable": it would leak.
    """
    routed = [(network, "blackhole") for network in networks(plan.prefixes, family)]
    other = networks(plan.prefixes, 10 - family)
    if any(network.prefixlen == 0 for network in other) and not _is_full(routed):
        routed.append((ipaddress.ip_network(EVERYTHING[family]), "unreachable"))
    carried = [str(network) for network, kind in routed if kind == "blackhole"]
    hosts = {
        str(ipaddress.ip_network(address)): tunnel.device
        for tunnel in plan.tunnels.values()
        for address in tunnel.addresses
        if ipaddress.ip_address(address).version == family
    }
    active = plan.tunnels.get(plan.active or "")
    routes = [
        *(Route(plan.mark, str(network), None, kind) for network, kind in routed),
        *(Route(plan.mark, host, None, "unreachable") for host in hosts),
        *(Route(plan.mark, prefix, active.device) for prefix in carried if active is not None),
        *(Route(plan.mark, host, device) for host, device in hosts.items()),
        *(
            Route(tunnel.mark, prefix, tunnel.device)
            for tunnel in plan.tunnels.values()
            for prefix in carried
        ),
    ]
    # No route is more specific than one to a host.
    rules = {_spare(network) for network, _ in routed if network.prefixlen < network.max_prefixlen}
    rules |= {
        Rule(PIN, str(tunnel.mark), tunnel.mark)
        for name, tunnel in plan.tunnels.items()
        if name in plan.pinned and carried
    }
    rules |= _to_target(plan, carried)
    if routed or hosts:
        rules.add(Rule(LEAD, str(plan.mark), plan.mark, unmarked=True))
    # The last one in a place stays: a worker's own address, should it be a routed network too, leads to that worker.
    return Tables(frozenset({route.place: route for route in routes}.values()), frozenset(rules))


def changes(have: Tables, want: Tables, mark: int) -> list[str]:
    """The lines for `ip -batch` that make of the one the other, in an order without a gap.

    Dead ends come first; the move itself, in the table of all, before rules that go.
    """
    places = {route.place for route in want.routes}
    fresh = sorted(want.routes - have.routes, key=lambda route: (_turn(route, mark), str(route)))
    gone = sorted((route for route in have.routes if route.place not in places), key=str)
    return [
        *(f"route replace {route}" for route in fresh),
        *(f"rule add {rule}" for rule in sorted(want.rules - have.rules, key=str)),
        *(f"rule del {rule}" for rule in sorted(have.rules - want.rules, key=str)),
        *(f"route del {route}" for route in gone),
    ]


def carrier(have: Mapping[int, Tables], prefixes: Collection[str], mark: int) -> str | None:
    """The interface that all of these networks lead to; None if there is no such one."""
    routed = {str(network) for family in FAMILIES for network in networks(prefixes, family)}
    led = {
        route.prefix: route.device
        for tables in have.values()
        for route in tables.routes
        if route.table == mark and route.device is not None and route.prefix in routed
    }
    devices = set(led.values())
    return devices.pop() if routed and set(led) == routed and len(devices) == 1 else None


def read_tables(
    routes: Sequence[Mapping[str, object]],
    rules: Sequence[Mapping[str, object]],
    family: int,
    ours: Collection[int],
) -> Tables:
    """What is ours of what `ip -json -details route show table all` and `ip -json rule show` print."""
    tables = {str(number) for number in ours}
    return Tables(
        frozenset(_route(entry, family) for entry in routes if entry.get("table") in tables),
        frozenset(rule for entry in rules if (rule := _rule(entry, tables)) is not None),
    )


def _is_full(routed: Iterable[tuple[Network, str]]) -> bool:
    return any(network.prefixlen == 0 for network, _ in routed)


def _to_target(plan: Plan, carried: Collection[str]) -> set[Rule]:
    """IPv6 finds no way out of a bound socket by itself; and a dead end stands beneath the active one's route."""
    target = ipaddress.ip_address(plan.target) if plan.target is not None else None
    if target is None or not any(target in ipaddress.ip_network(prefix) for prefix in carried):
        return set()
    to = str(ipaddress.ip_network(target))
    return {Rule(BEYOND, str(one.mark), to=to, device=one.device) for one in plan.tunnels.values()}


def _spare(network: Network) -> Rule:
    to = str(network) if network.prefixlen else None
    return Rule(SPARE, "main", to=to, suppress=network.prefixlen)


def _turn(route: Route, mark: int) -> tuple[bool, bool]:
    return route.device is not None, route.table == mark


def _route(entry: Mapping[str, object], family: int) -> Route:
    kind = str(entry.get("type", "unicast"))
    said = str(entry["dst"])
    prefix = EVERYTHING[family] if said == "default" else str(ipaddress.ip_network(said))
    table = int(str(entry["table"]))
    # A dead end of the other family has a device all the same: loopback.
    return Route(table, prefix, str(entry.get("dev")) if kind == "unicast" else None, kind)


def _rule(entry: Mapping[str, object], tables: Collection[str]) -> Rule | None:
    priority = entry.get("priority")
    table = str(entry.get("table"))
    if not isinstance(priority, int) or priority not in {BEYOND, SPARE, PIN, LEAD}:
        return None
    if table not in tables and not (priority == SPARE and table == "main"):
        return None
    mark = entry.get("fwmark")
    suppress = entry.get("suppress_prefixlen")
    return Rule(
        priority,
        table,
        mark=int(str(mark), 0) if mark is not None else None,
        unmarked="not" in entry,
        to=_destination(entry) if "dst" in entry else None,
        suppress=suppress if isinstance(suppress, int) else None,
        device=str(entry["oif"]) if "oif" in entry else None,
    )


def _destination(entry: Mapping[str, object]) -> str:
    """A host's has no length."""
    length = f"/{entry['dstlen']}" if "dstlen" in entry else ""
    return str(ipaddress.ip_network(f"{entry['dst']}{length}"))
