"""`make bench NAME=exporter`: what a page costs, for 100, 1,000 and 10,000 peers.

Compared in one run, on the same dump: parse, render and gzip of the page as it is served, with a collector of
prometheus_client's, its generate_latest and its gzip, for the same samples. Both are read back and must say the same
before anything is measured. Processor time of the whole process: the median of several rounds that take turns, and of several pairs of processes,
because where a process lies in memory makes a difference, too. In each round all peers that were ever seen have carried
traffic since the last one, and a third have made a handshake.
Then a real WireGuard interface with as many peers, read by `wg`, and a real exporter's memory after serving it.
"""

import argparse
import gzip
import http.client
import json
import multiprocessing
import random
import statistics
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Self

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from rich.console import Console
from rich.table import Table as Printed

from exporter import memory, metrics
from exporter.collector import Collectors
from exporter.kernel import backend_of
from exporter.packing import Packer
from exporter.page import families, written
from exporter.peers import Shown
from exporter.samples import of_table
from exporter.sources import of_interfaces
from tests.lab.host import Host
from tests.lab.keys import new_key_pair
from tests.lab.launch import Launcher
from tests.lab.preflight import require
from tests.lab.programs import LAB
from tests.lab.wireguard import Interface, Userspace
from wgfleet.diff import WantedPeer
from wgfleet.dump import parse_table

NOW = 1_795_362_680
SIZES = (100, 1_000, 10_000)
MOST = SIZES[-1]
PAIRS = 5


@dataclass(frozen=True, slots=True)
class Measured:
    """Processor time of one page, in milliseconds."""

    peers: int
    first: float
    """Of ours, for which nothing is kept from a page before."""
    ours: float
    theirs: float
    ratio: float
    """How many times less ours takes."""
    page_bytes: int
    gzip_bytes: int


def main() -> int:
    """Run the bench; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench exporter", description=__doc__)
    parser.add_argument(
        "--runs", type=int, default=9, help="rounds of each pair, of which the median counts (%(default)s)"
    )
    arguments = parser.parse_args()
    console = Console(stderr=True)
    measured = []
    for peers in SIZES:
        console.print(f"{peers} peers, {PAIRS} pairs of processes, {arguments.runs} rounds each")
        measured.append(median_of([compare(peers, arguments.runs) for _ in range(PAIRS)]))
    console.print(f"a real interface with {MOST} peers")
    read, rss = real(arguments.runs)
    _print_table(measured)
    few, some, many = measured
    print(
        json.dumps(
            {
                "cpu_ratio_10k": round(many.ratio, 1),
                "cpu_ms_100": round(few.ours, 3),
                "cpu_ms_1k": round(some.ours, 2),
                "cpu_ms_10k": round(many.ours, 1),
                "peer_cpu_ms_10k": round(many.theirs, 1),
                "read_ms_10k": round(read, 1),
                "rss_mib": round(rss, 1),
                "page_bytes": many.page_bytes,
                "gzip_bytes": many.gzip_bytes,
                "first_page_cpu_ms_10k": round(many.first, 1),
            }
        )
    )
    return 0


def median_of(pairs: Sequence[Measured]) -> Measured:
    """Of each figure."""

    def median(figure: Callable[[Measured], float]) -> float:
        return statistics.median(map(figure, pairs))

    return replace(
        pairs[0],
        first=median(lambda one: one.first),
        ours=median(lambda one: one.ours),
        theirs=median(lambda one: one.theirs),
        ratio=median(lambda one: one.ratio),
    )


def dump(peers: int, later: int) -> bytes:
    """What `wg show wg0 dump` says of an interface in use, `later` rounds later; the same each time."""
    chance = random.Random(peers)

    def key() -> str:
        return b64encode(chance.randbytes(32)).decode()

    lines = [f"{key()}\t{key()}\t51820\toff"]
    for number in range(peers):
        seen = number % 10 != 0
        endpoint = f"203.0.{number >> 8}.{number & 255}:{chance.randrange(1024, 65536)}" if seen else "(none)"
        handshake = NOW - chance.randrange(4000) + (number % 3 == 0) * later if seen else 0
        received, sent = chance.randrange(10**9) + 500 * later, chance.randrange(10**11) + 9000 * later
        counters = f"{received}\t{sent}" if seen else "0\t0"
        keepalive = "off" if number % 3 else "25"
        lines.append(
            f"{key()}\t(none)\t{endpoint}\t10.{number >> 8}.{number & 255}.2/32\t{handshake}\t{counters}\t{keepalive}"
        )
    return ("\n".join(lines) + "\n").encode()


def compare(peers: int, rounds: int) -> Measured:
    """Both ways of making the page, taking turns, each in a process of its own as in service."""
    with _Way(_ours, peers) as ours, _Way(_theirs, peers) as theirs:
        first, page = ours.make(0)
        _, expected = theirs.make(0)
        _must_agree(page, expected)
        times: dict[_Way, list[float]] = {ours: [], theirs: []}
        for later in range(1, rounds + 1):
            made = {way: way.make(later) for way in times}
            for way, (took, _) in made.items():
                times[way].append(took)
        _must_agree(*(page for _, page in made.values()))
    return Measured(
        peers,
        first,
        took := statistics.median(times[ours]),
        instead := statistics.median(times[theirs]),
        instead / took,
        len(gzip.decompress(page)),
        len(page),
    )


Make = Callable[[bytes], bytes]
"""A dump to a page, by gzip."""


def _ours() -> Make:
    dumps: list[bytes] = []
    source = of_interfaces(
        ["wg0"], Shown(), None, read=lambda name, before, _: parse_table(name, dumps[-1], before), now=_now
    )
    packed = Packer()
    collectors = Collectors({"device": source["device"]}, stopwatch=time.perf_counter)

    def make(text: bytes) -> bytes:
        dumps[:] = [text]
        return packed(written(collectors.scrape(1.0), (), accept="")[0])

    return make


def _theirs() -> Make:
    def make(text: bytes) -> bytes:
        registry = CollectorRegistry()
        registry.register(_Theirs(text))
        return gzip.compress(generate_latest(registry))

    return make


class _Way:
    """One way of making pages, in a process of its own: neither has to live with what the other leaves in memory."""

    def __init__(self, way: Callable[[], Make], peers: int) -> None:
        self._parent, child = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("fork").Process(
            target=_serve, args=(way, peers, child), daemon=True
        )

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._parent.send(None)
        self._process.join()

    def make(self, later: int) -> tuple[float, bytes]:
        """Milliseconds of processor time, and the page."""
        self._parent.send(later)
        made: tuple[float, bytes] = self._parent.recv()
        return made


def _serve(way: Callable[[], Make], peers: int, connection: Connection) -> None:
    memory.keep()  # As the exporter does; the other way gets it, too.
    make = way()
    while (later := connection.recv()) is not None:
        text = dump(peers, later)
        began = time.process_time()
        page = make(text)
        connection.send(((time.process_time() - began) * 1000, page))


def real(rounds: int) -> tuple[float, float]:
    """Milliseconds that `wg` takes to read many peers, and MiB that an exporter has after it has served them."""
    require(LAB)
    with Launcher() as launcher:
        host = Host(launcher, "worker", "")
        host.wait()
        peers = [
            WantedPeer(new_key_pair().public, None, (f"10.{number >> 8}.{number & 255}.2/32",), None)
            for number in range(MOST)
        ]
        wg0 = Interface(host, "wg0", new_key_pair(), ["10.90.0.1/24"], Userspace(host, "wg0"), peers=peers)
        wg0.start()
        took = []
        for _ in range(rounds):
            began = time.perf_counter()
            host.run("wg", "show", "wg0", "dump")
            took.append((time.perf_counter() - began) * 1000)
        command = [sys.executable, "-m", "exporter", "--interface=wg0"]
        host.spawn("exporter", command, ready=lambda: host.listens(9586))
        port = host.forward(9586).port
        for _ in range(rounds):
            served = _scrape(port)
        if f'wireguard_exporter_peers_exported{{interface="wg0"}} {float(MOST)}' not in served:
            raise AssertionError("the exporter does not serve all peers")
        return statistics.median(took), _resident(served)


class _Theirs(Collector):
    """The same samples as prometheus_client's documentation shows how to give them."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    def collect(self) -> Iterator[Metric]:
        yield from families(of_table(parse_table("wg0", self._text), backend_of("wg0"), now=_now()))
        handshakes, received, sent, keepalives, changes = (
            (CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily)(
                family.name, family.help, labels=family.labels
            )
            for family in (
                metrics.PEER_LAST_HANDSHAKE,
                metrics.PEER_RECEIVE_BYTES,
                metrics.PEER_TRANSMIT_BYTES,
                metrics.PEER_KEEPALIVE,
                metrics.PEER_ENDPOINT_CHANGES,
            )
        )
        for line in self._text.decode().splitlines()[1:]:
            key, _, _, _, handshake, rx, tx, keepalive = line.split("\t")
            labels = ("wg0", key)
            if handshake != "0":
                handshakes.add_metric(labels, int(handshake))
            received.add_metric(labels, int(rx))
            sent.add_metric(labels, int(tx))
            if keepalive != "off":
                keepalives.add_metric(labels, int(keepalive))
            changes.add_metric(labels, 0)
        yield from (handshakes, received, sent, keepalives, changes)


def _must_agree(ours: bytes, theirs: bytes) -> None:
    """The same samples, but for what ours says of itself."""
    said, expected = (_samples(gzip.decompress(page).decode()) for page in (ours, theirs))
    if {sample for sample in said if not sample[0].startswith("wireguard_exporter_")} != expected:
        raise AssertionError("the two pages do not say the same: there is nothing to compare")


def _samples(page: str) -> set[tuple[str, tuple[tuple[str, str], ...], float]]:
    return {
        (sample.name, tuple(sorted(sample.labels.items())), sample.value)
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def _now() -> float:
    return float(NOW)


def _scrape(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(
        "GET", "/metrics", headers={"Accept-Encoding": "gzip", "X-Prometheus-Scrape-Timeout-Seconds": "30"}
    )
    page = gzip.decompress(connection.getresponse().read()).decode()
    connection.close()
    return page


def _resident(page: str) -> float:
    (line,) = (line for line in page.splitlines() if line.startswith("process_resident_memory_bytes "))
    return float(line.split(" ")[1]) / 2**20


def _print_table(measured: Sequence[Measured]) -> None:
    table = Printed(box=None, header_style="bold")
    for column in (
        "peers",
        "ours, first page",
        "ours, CPU ms",
        "prometheus_client, CPU ms",
        "ratio",
        "page bytes",
        "gzip bytes",
    ):
        table.add_column(column, justify="right")
    for one in measured:
        table.add_row(
            f"{one.peers}", f"{one.first:.2f}", f"{one.ours:.2f}", f"{one.theirs:.2f}", f"{one.ratio:.1f}",
            f"{one.page_bytes}", f"{one.gzip_bytes}",
        )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
