"""`make bench NAME=placement`: a million clients on 3 to 64 workers; one worker fails and comes back; the receiver restarts.

No network, no clock: each client is a name, and the product's own functions are asked what its daemon would do. By
weighted rendezvous hashing (client_sync/choice.py, wgfleet/spread.py) each client has an order of the workers that nobody
has to hand out. So when the first worker fails its clients spread over all others, nobody else moves, and when it is back
they return, each at a time of its own (client_sync/wishing.py). Is the fullest worker as full as the others, then? Does
really nobody else move? And how many come in the worst second, to a worker or to a receiver (client_sync/feed.py)?
One client in 250 is decided by the daemon's whole core (client_sync/core.py), too, and must be where the hash has it.

The last line is JSON. Exit status 1: a client of another worker moved, one did not return, or the core says otherwise.
"""

import argparse
import json
import multiprocessing
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

from rich.console import Console
from rich.table import Table as Printed

from client_sync.state import Settings
from tests.bench._herd import come_back
from tests.bench._placing import Fleet, Placed, last_second, place, worst_second

CLIENTS, PROCESSES = 1_000_000, 2
AT_A_TIME = 5_000
"""Clients that a process takes from the queue together."""
TOLD_EVERY = 10.0
"""Seconds between two lines of progress."""
EQUAL = (3, 4, 8, 16, 32, 64)
FLEETS = (*(Fleet((100,) * workers) for workers in EQUAL), Fleet((200, 100, 100, 100, 100, 50, 50, 25)))
"""The last one has a worker of a quarter of the weight, as one that is overloaded."""
AWAY = (0.0, 3.0, 60.0)
"""Seconds for which the receiver is away: connections that are reset, a restart, a reboot."""
SETTINGS = Settings(client="")
"""The daemon's defaults; the name is each client's own."""


@dataclass(slots=True)
class Counts:
    """What became of some clients."""

    clients: int = 0
    placed: list[Placed] = field(default_factory=lambda: [Placed() for _ in FLEETS])
    """In each fleet."""
    let_in: list[Counter[int]] = field(default_factory=lambda: [Counter() for _ in AWAY])
    """After each time for which the receiver was away."""

    def add(self, other: "Counts") -> None:
        """Count these, too."""
        self.clients += other.clients
        for placed, more in zip(self.placed, other.placed, strict=True):
            placed.add(more)
        for let_in, came in zip(self.let_in, other.let_in, strict=True):
            let_in.update(came)


def main() -> int:
    """Run the bench; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench placement", description=__doc__)
    parser.add_argument("--count", type=int, default=CLIENTS, help="clients (%(default)s)")
    parser.add_argument("--processes", type=int, default=PROCESSES, help="that share them (%(default)s)")
    arguments = parser.parse_args()
    print(f"{arguments.count} clients, {arguments.processes} processes", file=sys.stderr)
    with multiprocessing.Pool(arguments.processes) as pool:
        parts = pool.imap_unordered(count, shared_out(arguments.count))
        counts = added_up(parts, arguments.count)
    print_tables(counts)
    said = summary(counts)
    print(json.dumps(said))
    return 1 if said["moved_others"] or said["strayed"] or said["contradicted"] else 0


def shared_out(clients: int) -> Iterable[range]:
    """Their numbers, in parts."""
    return (range(first, min(first + AT_A_TIME, clients)) for first in range(0, clients, AT_A_TIME))


def count(numbers: range) -> Counts:
    """What becomes of these clients."""
    random.seed(numbers.start)  # The daemons' pauses are drawn: the same ones each time that this is run.
    placed = place((f"client-{number}" for number in numbers), FLEETS, SETTINGS)
    return Counts(len(numbers), placed, list(map(partial(come_back, len(numbers)), AWAY)))


def added_up(parts: Iterable[Counts], clients: int) -> Counts:
    """All of them; says how far it is, on the way."""
    counts = Counts()
    began = last = time.monotonic()
    for one in parts:
        counts.add(one)
        now = time.monotonic()
        if now - last >= TOLD_EVERY or counts.clients == clients:
            last = now
            print(
                f"  {counts.clients:>9} of {clients} after {now - began:.0f} s", file=sys.stderr, flush=True
            )
    return counts


def summary(counts: Counts) -> dict[str, object]:
    """The last line: the worst of all fleets."""
    fleets = list(zip(counts.placed, FLEETS, strict=True))
    return {
        "clients": counts.clients,
        "max_over_mean": round(max(placed.max_over_mean(fleet) for placed, fleet in fleets), 4),
        "max_over_mean_after_failure": round(
            max(placed.max_over_mean_after(fleet) for placed, fleet in fleets), 4
        ),
        "moved": sum(placed.moved for placed in counts.placed),
        "moved_others": sum(placed.moved_others for placed in counts.placed),
        "strayed": sum(placed.strayed for placed in counts.placed),
        "asked_of_the_core": sum(placed.asked for placed in counts.placed),
        "contradicted": sum(placed.contradicted for placed in counts.placed),
        "failback_worst_second": max(worst_second(placed.returned) for placed in counts.placed),
        "reconnect_worst_second": {
            f"{away:g}": worst_second(let_in) for away, let_in in zip(AWAY, counts.let_in, strict=True)
        },
        "reconnect_last_second": {
            f"{away:g}": last_second(let_in) for away, let_in in zip(AWAY, counts.let_in, strict=True)
        },
    }


def print_tables(counts: Counts) -> None:
    """For people."""
    console = Console()
    console.print(_placement(counts))
    console.print(
        "Clients of the fullest worker by those that its weight stands for: at first, and of the survivors after the worst failure of one. "
        "When the first one fails: its clients, and others who moved; when it is back: who did not return, how many did within the worst "
        "second, that by all of them, and seconds until the last.\n"
    )
    console.print(_returns(counts))
    console.print(
        "Clients that are let in within the worst second, and seconds until the last, once a receiver is back that cut off all of them."
    )


def _placement(counts: Counts) -> Printed:
    table = _table(
        "workers", "fullest", "after a failure", "moved", "others", "strayed", "worst second", "part", "last"
    )
    for placed, fleet in zip(counts.placed, FLEETS, strict=True):
        worst = worst_second(placed.returned)
        table.add_row(
            fleet.name, f"{placed.max_over_mean(fleet):.3f}", f"{placed.max_over_mean_after(fleet):.3f}", f"{placed.moved}",
            f"{placed.moved_others}", f"{placed.strayed}", f"{worst}", f"{worst / max(placed.moved, 1):.2%}",
            f"{last_second(placed.returned):.0f}",
        )  # fmt: skip
    return table


def _returns(counts: Counts) -> Printed:
    table = _table("receiver away for", "clients", "worst second", "part", "last")
    for away, let_in in zip(AWAY, counts.let_in, strict=True):
        worst = worst_second(let_in)
        table.add_row(
            f"{away:g} s", f"{let_in.total()}", f"{worst}", f"{worst / max(let_in.total(), 1):.0%}",
            f"{last_second(let_in):.1f}",
        )  # fmt: skip
    return table


def _table(first: str, *others: str) -> Printed:
    table = Printed(box=None, header_style="bold")
    for column in (first, *others):
        table.add_column(column, justify="left" if column == first else "right")
    return table


if __name__ == "__main__":
    sys.exit(main())
