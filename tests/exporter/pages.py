"""A page of the exporter, made from what a real interface said (scrapes/capture.sh)."""

from collections.abc import Callable, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from exporter.collector import BuildInfo, WireGuardCollector
from exporter.netdev import Netdev
from exporter.sysfs import read_netdev
from wgfleet.device import Device
from wgfleet.dump import parse_dump

SCRAPES = Path(__file__).parent / "scrapes"
DUMP = (SCRAPES / "wg0.dump").read_text()
PRIVATE_KEY = DUMP.split("\t", 1)[0]
PRESHARED_KEY = DUMP.splitlines()[1].split("\t")[1]

NOW = 1795362680.0
"""60 s after the newest handshake of the dump, 210 s after the other."""

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read_device(interface: str) -> Device:
    """As `wg` said it."""
    return parse_dump(interface, DUMP)


def read_sysfs(interface: str) -> Netdev | None:
    """As the kernel said it."""
    return read_netdev(interface, sysfs=SCRAPES / "sys")


def registry(
    interfaces: Sequence[str] = ("wg0",),
    *,
    device: Callable[[str], Device] = read_device,
    netdev: Callable[[str], Netdev | None] = read_sysfs,
    stopwatch: Callable[[], float] = lambda: 0.0,
    with_peers: bool = True,
) -> CollectorRegistry:
    """What the exporter serves, but for the metrics of its own process."""
    made = CollectorRegistry()
    made.register(
        WireGuardCollector(
            interfaces,
            read_device=device,
            read_netdev=netdev,
            now=lambda: NOW,
            stopwatch=stopwatch,
            with_peers=with_peers,
        )
    )
    made.register(BuildInfo("0.1.0", "3.11.2"))
    return made


def page(made: CollectorRegistry) -> str:
    """The page as Prometheus gets it."""
    return generate_latest(made).decode()


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
