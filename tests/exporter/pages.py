"""A page of the exporter, made from what real interfaces and a real machine said (scrapes/capture*.sh).

`python -m tests.exporter.pages > tests/exporter/scrapes/whole.prom` writes the one that the tests compare. Read its diff.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from exporter import metrics
from exporter.collector import Collectors, Source, samples_only
from exporter.metrics import ACTIVE_MAX_AGE, BUILD_INFO, Sample
from exporter.names import Names
from exporter.netdev import Netdev
from exporter.page import written
from exporter.parts import Load
from exporter.peers import Shown
from exporter.proc import Proc
from exporter.samples import ACTIVE_SECONDS
from exporter.sources import ReadTable, of_interfaces
from wgfleet.dump import Table, parse_table

SCRAPES = Path(__file__).parent / "scrapes"
DUMP = (SCRAPES / "wg0.dump").read_text()
NAMES = SCRAPES / "names.txt"
WHOLE = SCRAPES / "whole.prom"
PRIVATE_KEY = DUMP.split("\t", 1)[0]
PRESHARED_KEY = DUMP.splitlines()[1].split("\t")[1]
KEYS = [line.split("\t")[0] for line in DUMP.splitlines()[1:]]

NOW = 1795362680.0
"""60 s after the newest handshake of the dump, 210 s after the other."""

EVERYTHING = Shown(endpoints=True, allowed_ips=True)
NETDEV = Netdev(
    up=True,
    mtu=1420,
    counters={
        "rx_bytes": 782,
        "rx_packets": 23,
        "rx_errors": 1,
        "rx_dropped": 2,
        "tx_bytes": 1032,
        "tx_packets": 18,
        "tx_errors": 3,
        "tx_dropped": 4,
    },
)
"""What the kernel said of that interface, and errors that it did not have."""

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read_table(interface: str, before: Table | None, within: float) -> Table:  # noqa: ARG001 - it is there at once.
    """As `wg` said it."""
    return parse_table(interface, DUMP.encode(), before)


def collectors(
    interfaces: Sequence[str] = ("wg0",),
    *,
    table: ReadTable = read_table,
    netdev: Callable[[str], Netdev | None] = lambda _interface: NETDEV,
    stopwatch: Callable[[], float] = lambda: 0.0,
    shown: Shown = EVERYTHING,
    names: Path | None = NAMES,
    more: Mapping[str, Mapping[str, Source]] | None = None,
) -> Collectors:
    """What is read of the interfaces, and what else is given."""
    found = of_interfaces(
        interfaces, shown, Names(names) if names else None, read=table, netdev=netdev, now=lambda: NOW
    )
    return Collectors({**found, **(more or {})}, stopwatch=stopwatch)


def worker() -> Mapping[str, Mapping[str, Source]]:
    """The load by a captured /proc, and an egress that is well."""
    clock = iter(range(1000))
    proc = Proc(SCRAPES / "proc", link_speed=lambda _device: 125e6, ticks_per_second=100)
    parts = Load(proc, stopwatch=lambda: float(next(clock))).parts()
    egress = [
        Sample(metrics.WORKER_EGRESS, (), 1),
        Sample(metrics.WORKER_EGRESS_PROBE, ("icmp:192.0.2.1",), 1),
        Sample(metrics.WORKER_EGRESS_DURATION, ("icmp:192.0.2.1",), 0.02),
    ]
    return {
        **{name: {"": samples_only(part)} for name, part in parts.items()},
        "egress": {"": samples_only(lambda: egress)},
    }


def page(made: Collectors, *, accept: str = "", wanted: Sequence[str] = ()) -> str:
    """The page as Prometheus gets it."""
    own = [
        ACTIVE_MAX_AGE.metric([Sample(ACTIVE_MAX_AGE, (), ACTIVE_SECONDS)]),
        BUILD_INFO.metric([Sample(BUILD_INFO, ("0.1.0", "", "3.11.2"), 1)]),
    ]
    return b"".join(written(made.scrape(1.0), own, accept=accept, wanted=wanted)[0]).decode()


def series(text: str) -> Series:
    """The page as values by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def families(text: str) -> set[str]:
    """The names that the page has."""
    return {line.split(" ")[2] for line in text.splitlines() if line.startswith("# TYPE ")}


if __name__ == "__main__":
    sys.stdout.write(page(collectors(more=worker())))
