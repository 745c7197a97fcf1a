"""A machine in memory for the layout with an interface for each worker: links, peers, routes, rules, connections."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from client_sync.endpoints import Endpoints
from client_sync.perworker.allotments import Allotments
from client_sync.perworker.interfaces import Settings
from client_sync.perworker.layout import PerWorker
from client_sync.perworker.system import System
from client_sync.tunnels.making import Dress, Implementation
from client_sync.tunnels.programs import LayoutError
from client_sync.tunnels.routing import EVERYTHING, Route, Rule, Tables
from tests.client_sync.device import unresolved
from tests.lab.keys import KeyPair, new_key_pair
from tests.wgfleet.model import after
from wgfleet.device import Device
from wgfleet.diff import PeerChange

MARK = 958600
DEADLINE = 3600.0
KEYS = new_key_pair()


@dataclass
class Machine:
    """Stands behind `System`, and notes what was done, in order."""

    directory: Path
    keys: KeyPair = KEYS
    devices: dict[str, Device] = field(default_factory=dict)
    tables: dict[int, Tables] = field(default_factory=lambda: {4: Tables(), 6: Tables()})
    down: set[str] = field(default_factory=set)
    done: list[str] = field(default_factory=list)
    rulesets: list[str] = field(default_factory=list)
    connections: list[str] | None = field(default_factory=list)
    broken: Callable[[str], bool] = lambda _what: False
    """Whether doing this fails."""
    now: float = 100.0

    def layout(self, target: str | None = None) -> PerWorker:
        """The layout of a daemon just started here."""
        key = self.directory / "private.key"
        key.write_text(f"{self.keys.private}\n")
        settings = Settings("wg", key, ("10.99.1.7/16",), MARK, DEADLINE, target=target)
        return PerWorker(
            settings,
            Allotments(self.directory),
            Endpoints(unresolved),
            system=self.door,
            clock=lambda: self.now,
        )

    @property
    def door(self) -> System:
        """What the layout takes."""
        return System(
            links=lambda: {name: name not in self.down for name in self.devices},
            make=self._make,
            dress=self._dress,
            remove=self.remove,
            read=self._read,
            set_peers=self._set_peers,
            tables=self._tables,
            change=self._change,
            load=self._load,
            connections=lambda: self.connections,
        )

    def since(self, begin: int) -> list[str]:
        """What was done after so many things."""
        return self.done[begin:]

    @property
    def way(self) -> str | None:
        """The interface that all traffic of IPv4 takes."""
        ways = [
            route.device
            for route in self.tables[4].routes
            if (route.table, route.prefix) == (MARK, EVERYTHING[4]) and route.device
        ]
        return ways[0] if ways else None

    @property
    def pinned(self) -> set[str]:
        """The tables that a rule for marked connections leads to."""
        return {rule.table for rule in self.tables[4].rules if rule.priority == 30101}

    def remove(self, interface: str) -> None:
        """Away with it, and with all routes that lead to it; by the layout or by a crash."""
        self._do(f"remove {interface}")
        del self.devices[interface]
        self.unroute(interface)

    def unroute(self, interface: str) -> None:
        """All routes that lead to it are gone."""
        self.tables = {
            family: replace(
                tables, routes=frozenset(route for route in tables.routes if route.device != interface)
            )
            for family, tables in self.tables.items()
        }

    def _do(self, what: str) -> None:
        if self.broken(what):
            raise LayoutError(f"`{what}` failed")
        self.done.append(what)

    def _load(self, rules: str) -> None:
        if self.broken("load"):
            raise LayoutError("`load` failed")
        self.rulesets.append(rules)

    def _make(self, interface: str, implementation: Implementation) -> None:
        self._do(f"make {interface} {implementation}")
        self.devices[interface] = Device(interface, None, 0, None, ())

    def _dress(self, interface: str, what: Dress, mtu: int | None) -> None:
        self._do(f"dress {interface} {','.join(what.addresses)} mtu {mtu}")
        self.down.discard(interface)
        self.devices[interface] = replace(
            self.devices[interface], public_key=self.keys.public, firewall_mark=what.mark
        )

    def _read(self, interface: str) -> Device:
        if interface not in self.devices:
            raise LayoutError(f"there is no {interface}")
        return self.devices[interface]

    def _set_peers(self, interface: str, changes: Sequence[PeerChange]) -> None:
        for change in changes:
            self._do(f"{interface}: {change}")
            self.devices[interface] = after(self.devices[interface], change)

    def _tables(self, ours: Iterable[int]) -> dict[int, Tables]:
        numbers = {str(number) for number in ours}
        return {
            family: Tables(
                frozenset(route for route in tables.routes if str(route.table) in numbers),
                frozenset(rule for rule in tables.rules if rule.table in {*numbers, "main"}),
            )
            for family, tables in self.tables.items()
        }

    def _change(self, family: int, lines: Sequence[str]) -> None:
        for line in lines:
            self._do(f"ip -{family} {line}")
            self.tables[family] = carried_out(self.tables[family], line)


def carried_out(tables: Tables, line: str) -> Tables:
    """What the kernel makes of it."""
    what, verb, *words = line.split()
    if what == "rule":
        rule = _rule(words)
        return replace(tables, rules=tables.rules | {rule} if verb == "add" else tables.rules - {rule})
    route = _route(words)
    others = frozenset(one for one in tables.routes if one.place != route.place)
    return replace(tables, routes=others | {route} if verb == "replace" else others)


def _route(words: list[str]) -> Route:
    kind = words.pop(0) if words[0] in {"blackhole", "unreachable"} else "unicast"
    said = dict(zip(words[1::2], words[2::2], strict=True))
    return Route(int(said["table"]), words[0], said.get("dev"), kind)


def _rule(words: list[str]) -> Rule:
    unmarked = "not" in words
    plain = [word for word in words if word != "not"]
    said = dict(zip(plain[::2], plain[1::2], strict=True))
    return Rule(
        int(said["pref"]),
        said["table"],
        int(said["fwmark"]) if "fwmark" in said else None,
        unmarked,
        said.get("to"),
        int(said["suppress_prefixlength"]) if "suppress_prefixlength" in said else None,
        said.get("oif"),
    )


def connection(mark: int) -> str:
    """A line of the kernel's, of a connection with this mark."""
    return f"ipv4 2 tcp 6 431999 ESTABLISHED src=10.99.1.7 dst=198.51.100.1 sport=1 dport=2 [ASSURED] mark={mark} use=1"
