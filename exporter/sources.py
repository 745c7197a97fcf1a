"""What this exporter reads, by what it was told: the collectors by name, each with its sources by subject."""

import argparse
import functools
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from exporter import metrics
from exporter.collector import Found, Source, samples_only
from exporter.egress import Egress
from exporter.kernel import backend_of, read_netdev
from exporter.metrics import Sample
from exporter.names import Names
from exporter.netdev import Netdev
from exporter.parts import Load
from exporter.peers import Peers, Shown, limited
from exporter.proc import Proc
from exporter.samples import of_netdev, of_table
from wgfleet.dump import Table
from wgfleet.wg import read_table

Sources = Mapping[str, Mapping[str, Source]]

ReadTable = Callable[[str, Table | None, float], Table]
"""An interface's name, the last reading of it, and the seconds within which it should be read."""


def sources(arguments: argparse.Namespace) -> Sources:
    """The sources of the command line."""
    names = Names(arguments.names) if arguments.names else None
    shown = Shown(
        most=arguments.most_peers if arguments.peers else 0,
        endpoints=arguments.endpoints,
        allowed_ips=arguments.allowed_ips,
        compatible=arguments.compatible,
    )
    proc = Proc(uplink=arguments.uplink, uplink_speed=arguments.uplink_speed)
    found = dict(of_interfaces(arguments.interfaces, shown, names))
    if arguments.load:
        parts = Load(proc, stopwatch=time.monotonic).parts()
        found |= {name: {"": samples_only(part)} for name, part in parts.items()}
    if arguments.egress:
        egress = Egress(
            arguments.egress,
            timeout=arguments.egress_timeout,
            forwarding=proc.forwarding,
            sources=arguments.egress_sources,
        )
        found["egress"] = {"": lambda within: (egress.samples(within), [])}
    return found


def of_interfaces(
    interfaces: Sequence[str],
    shown: Shown,
    names: Callable[[], Mapping[bytes, str]] | None,
    *,
    read: ReadTable = lambda interface, before, within: read_table(interface, before, within=within),
    netdev: Callable[[str], Netdev | None] = read_netdev,
    now: Callable[[], float] = time.time,
) -> Sources:
    """What is read of each interface. The same one twice would be the same series twice, so it is read once."""
    each = tuple(dict.fromkeys(interfaces))
    device = _Device(shown, names, read, now)
    found: dict[str, Mapping[str, Source]] = {
        "device": {
            name: functools.partial(device.source, name, Peers(shown), threading.Lock()) for name in each
        },
        "netdev": {name: samples_only(functools.partial(_netdev_samples, name, netdev)) for name in each},
    }
    if names:
        # On its own, so that the page says when the file is wrong. The peers are shown without names then.
        found["names"] = {"": samples_only(functools.partial(_read_only, names))}
    return found


class _Device:
    """What `wg` says of an interface and its peers."""

    def __init__(
        self,
        shown: Shown,
        names: Callable[[], Mapping[bytes, str]] | None,
        read: ReadTable,
        now: Callable[[], float],
    ) -> None:
        self._shown = shown
        self._names = names
        self._read = read
        self._now = now
        self._before: dict[str, Table] = {}

    def source(self, interface: str, peers: Peers, one_page: threading.Lock, within: float) -> Found:
        """One reading."""
        table = self._read(interface, self._before.get(interface), within)
        self._before[interface] = table
        few = limited(table, self._shown.most)
        exported = len(few.public_keys)
        samples = [
            *of_table(table, backend_of(interface), now=self._now()),
            Sample(metrics.PEERS_EXPORTED, (interface,), exported),
            Sample(metrics.PEERS_DROPPED, (interface,), len(table.public_keys) - exported),
        ]
        with one_page:
            return samples, list(peers.lines(few, self._known_names())) if exported else []

    def _known_names(self) -> Mapping[bytes, str]:
        try:
            return self._names() if self._names else {}
        except (OSError, ValueError):
            return {}


def _netdev_samples(interface: str, read: Callable[[str], Netdev | None]) -> list[Sample]:
    return list(of_netdev(interface, read(interface)))


def _read_only(names: Callable[[], object]) -> tuple[Sample, ...]:
    names()
    return ()
