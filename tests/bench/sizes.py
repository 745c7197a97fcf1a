"""`make bench NAME=sizes`: what grows with workers and clients: documents, a worker's memory, Prometheus's series.

The peer set of 3 to 64 workers, and the client list of 1,000 to 100,000 clients, made and signed by wgfleet's own functions:
bytes as they are sent, and by gzip where the receiver packs them. What a worker's daemon has for such a list: a process of its
own takes it in as the daemon does, and then the next one, with one client more. And on a real fleet: the series in Prometheus
that belong to one worker, and to one client on one worker.
"""

import argparse
import base64
import gzip
import ipaddress
import json
import multiprocessing
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table as Printed

from client_sync.cache import ClientLists
from failover_receiver.packing import LEVEL
from failover_receiver.publication import LARGE
from tests.bench._series import Series, counted
from tests.bench._servers import resident_kb
from wgfleet.clientlist import ClientList, ListedClient
from wgfleet.peerset import Monitoring, PeerSet, PublishedWorker, WorkerState
from wgfleet.signing import Signer, Verifier

WORKERS = (3, 4, 8, 16, 32, 64)
CLIENTS = (1_000, 10_000, 100_000)
FLEET = "example"
FIRST = ipaddress.IPv4Address("10.0.0.2")


@dataclass(frozen=True, slots=True)
class Size:
    """Of one document."""

    entries: int
    """Workers or clients."""
    sent: int
    """Bytes, signed."""
    packed: int
    """Bytes by gzip, where the receiver packs it; else as sent."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a process takes that has a client list, and then takes in the next one."""

    clients: int
    mib: float
    """More than before."""
    most_mib: float
    """Likewise, at most, while the next one was read beside it."""


def main() -> int:
    """Run the bench; return its exit status."""
    argparse.ArgumentParser(prog="python -m tests.bench sizes", description=__doc__).parse_args()
    peer_sets = [size(workers, peer_set(workers)) for workers in WORKERS]
    lists = [size(clients, client_list(clients, 1)) for clients in CLIENTS]
    held = [holding(clients) for clients in CLIENTS]
    Console(stderr=True).print("a fleet, to count its series")
    series = counted()
    print_tables(peer_sets, lists, held, series)
    print(json.dumps(summary(peer_sets, lists, held, series)))
    return 0


def summary(
    peer_sets: Sequence[Size], lists: Sequence[Size], held: Sequence[Held], series: Series
) -> dict[str, object]:
    """The last line."""
    return {
        "peer_set_bytes": {one.entries: one.sent for one in peer_sets},
        "bytes_per_worker": round(peer_sets[-1].sent / peer_sets[-1].entries),
        "client_list_bytes": {one.entries: one.sent for one in lists},
        "client_list_gzip_bytes": {one.entries: one.packed for one in lists},
        "bytes_per_client": round(lists[-1].sent / lists[-1].entries),
        "list_held_mib": {one.clients: round(one.mib, 1) for one in held},
        "list_most_mib": {one.clients: round(one.most_mib, 1) for one in held},
        "series_per_worker": series.per_worker,
        "series_per_client_and_worker": series.per_client,
        "series_of_the_rest": series.of_the_rest,
    }


def peer_set(workers: int) -> PeerSet:
    """As many workers, each as `wgfleet worker add` of the README has it."""
    chance = random.Random(workers)
    there = [
        PublishedWorker(
            name=f"worker{number}",
            public_key=key(chance),
            endpoints=(f"192.0.2.{number}:51820",),
            tunnel_addresses=(f"10.99.0.{number}",),
            allowed_ips=("0.0.0.0/0",),
            state=WorkerState.SERVING,
            reason="up",
        )
        for number in range(1, workers + 1)
    ]
    return PeerSet(FLEET, 1, 1000, 1_795_362_680.0, 1_795_366_280.0, Monitoring.LIVE, tuple(there))


def client_list(clients: int, generation: int) -> ClientList:
    """As many clients, each with one address."""
    chance = random.Random(0)
    there = [
        ListedClient(f"client-{number}", key(chance), (f"{FIRST + number}/32",)) for number in range(clients)
    ]
    return ClientList(FLEET, 1, generation, 1_795_362_680.0, 1_795_366_280.0, tuple(there))


def key(chance: random.Random) -> str:
    """As a public key looks."""
    return base64.b64encode(chance.randbytes(32)).decode()


def size(entries: int, document: PeerSet | ClientList) -> Size:
    """Signed, and packed as the receiver does."""
    sent = Signer.generate().sign(document.to_bytes())
    packed = gzip.compress(sent, LEVEL, mtime=0) if len(sent) >= LARGE else sent
    return Size(entries, len(sent), len(packed))


def holding(clients: int) -> Held:
    """Measured in a process that has nothing else."""
    signer = Signer.generate()
    with tempfile.TemporaryDirectory(prefix="wgfleet-sizes.") as name:
        files = [Path(name) / f"{more}.jws" for more in (0, 1)]
        for more, file in enumerate(files):
            file.write_bytes(signer.sign(client_list(clients + more, more + 1).to_bytes()))
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            held, most = pool.apply(hold, (files, signer.public_text))
    return Held(clients, held / 1024, most / 1024)


def hold(files: Sequence[Path], trusted: str) -> tuple[int, int]:
    """Take in one list after the other, as a worker's daemon does; kB for the first, and at most."""
    first, second = files
    lists = ClientLists(first.parent, Verifier([trusted]), FLEET)
    before = resident_kb(os.getpid())
    lists.take(first.read_bytes())
    held = resident_kb(os.getpid()) - before
    lists.take(second.read_bytes())
    return held, most_resident_kb() - before


def most_resident_kb() -> int:
    """Memory that this process had in use at most: getrusage would count its parent's."""
    (line,) = (
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")
    )
    return int(line.split()[1])


def print_tables(
    peer_sets: Sequence[Size], lists: Sequence[Size], held: Sequence[Held], series: Series
) -> None:
    """For people."""
    console = Console()
    table = _table("document", "of", "bytes", "for each", "by gzip")
    for name, some in (("peer set", peer_sets), ("client list", lists)):
        for one in some:
            table.add_row(
                name, f"{one.entries}", f"{one.sent}", f"{one.sent / one.entries:.0f}", f"{one.packed}"
            )
    console.print(table)
    memory = _table("clients", "MiB for the list", "MiB while the next one comes")
    for taken in held:
        memory.add_row(f"{taken.clients}", f"{taken.mib:.1f}", f"{taken.most_mib:.1f}")
    console.print(memory)
    console.print(
        f"Series in Prometheus: {series.per_worker} for a worker, {series.per_client} for a client on each worker, "
        f"{series.of_the_rest} for all else."
    )


def _table(*columns: str) -> Printed:
    table = Printed(box=None, header_style="bold")
    for column in columns:
        table.add_column(column, justify="left" if column == "document" else "right")
    return table


if __name__ == "__main__":
    sys.exit(main())
