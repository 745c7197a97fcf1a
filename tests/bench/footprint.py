"""`make bench NAME=footprint SECONDS=60`: what a client's daemon costs the machine that it runs on.

One client with three workers, all well, on real WireGuard, with the receiver's stream held and every interval at its
default. For SECONDS each nothing is sent, and then a packet fifty times a second. Memory is the resident set (RSS) of the
daemon and its living children together, the most that was seen, looked at once a second; beside it, the share of it
that is theirs alone and their part of what others use too (PSS). Processor time is the daemon's and that of all the
programs it ran, by the kernel's account, in per cent of one core. A table, then a last line of JSON.
"""

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.lab.fleet import Fleet, Profile

CLIENT = "c1"
PACKET_MILLISECONDS = 20
LOOK_SECONDS = 1.0
"""Between looks at the memory. The programs that the daemon runs live for milliseconds: most are not seen."""
TICKS = os.sysconf("SC_CLK_TCK")
MEMORY = re.compile(r"^(Rss|Pss): +(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one moment, in KiB."""

    rss: int
    pss: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What was used while one thing was going on."""

    what: str
    seconds: float
    cpu_seconds: float
    looks: tuple[Memory, ...]

    @property
    def cpu_percent(self) -> float:
        """Of one core."""
        return 100 * self.cpu_seconds / self.seconds

    @property
    def rss_mib(self) -> float:
        """The most that was seen."""
        return max(look.rss for look in self.looks) / 1024

    @property
    def pss_mib(self) -> float:
        """Likewise."""
        return max(look.pss for look in self.looks) / 1024


def main() -> int:
    """Run the bench; return its exit status."""
    parser = argparse.ArgumentParser(prog="make bench NAME=footprint", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="idle, and then busy (default: %(default)s)"
    )
    arguments = parser.parse_args()
    with Fleet(Profile(local_failover=True), clients=1) as fleet:
        fleet.wait_until_serving()
        fleet.wait_until_warm()
        costs = measure(fleet, arguments.seconds)
    print_table(costs)
    print(json.dumps(summary(costs)))
    return 0


def measure(fleet: Fleet, seconds: float) -> list[Cost]:
    """The daemon idle, then with traffic."""
    pid = fleet.sync[CLIENT].pid
    idle = _cost("idle", pid, seconds)
    traffic = fleet.network.client(CLIENT).traffic(milliseconds=PACKET_MILLISECONDS)
    traffic.wait_until_flowing()
    busy = _cost(f"{1000 // PACKET_MILLISECONDS} packets a second", pid, seconds)
    traffic.stop()
    return [idle, busy]


def summary(costs: Sequence[Cost]) -> dict[str, float]:
    """The last line: of each figure the worst."""
    return {
        "rss_mib": round(max(cost.rss_mib for cost in costs), 1),
        "cpu_percent": round(max(cost.cpu_percent for cost in costs), 2),
        "pss_mib": round(max(cost.pss_mib for cost in costs), 1),
        "idle_cpu_percent": round(costs[0].cpu_percent, 2),
        "seconds": round(sum(cost.seconds for cost in costs), 1),
    }


def _cost(what: str, pid: int, seconds: float) -> Cost:
    began, before = time.monotonic(), cpu_seconds(pid)
    looks = [memory(pid)]
    while (left := began + seconds - time.monotonic()) > 0:
        time.sleep(min(LOOK_SECONDS, left))
        looks.append(memory(pid))
    return Cost(what, time.monotonic() - began, cpu_seconds(pid) - before, tuple(looks))


def cpu_seconds(pid: int) -> float:
    """Used so far by the process, its living children, and those that have ended and were waited for."""
    used = 0
    for one in family(pid):
        try:
            said = Path(f"/proc/{one}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # It has ended meanwhile, and is in its parent's account at the next look.
        # utime, stime, cutime, cstime: the 14th field and those after it; the name, in brackets, is the second.
        used += sum(map(int, said.rpartition(")")[2].split()[11:15]))
    return used / TICKS


def memory(pid: int) -> Memory:
    """Of the process and its living children."""
    rss = pss = 0
    for one in family(pid):
        try:
            said = dict(MEMORY.findall(Path(f"/proc/{one}/smaps_rollup").read_text()))
        except (FileNotFoundError, ProcessLookupError):
            continue
        rss, pss = rss + int(said.get("Rss", 0)), pss + int(said.get("Pss", 0))
    return Memory(rss, pss)


def family(pid: int) -> list[int]:
    """The process, its children, and theirs."""
    found = [pid]
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = thread.read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        found += [one for child in children for one in family(int(child))]
    return found


def print_table(costs: Sequence[Cost]) -> None:
    """For people."""
    table = Table(box=None, header_style="bold")
    for column in ("wgfleet-sync, 3 workers", "seconds", "RSS MiB", "PSS MiB", "CPU seconds", "% of a core"):
        table.add_column(column, justify="left" if column.startswith("wgfleet") else "right", no_wrap=True)
    for cost in costs:
        figures = (cost.rss_mib, cost.pss_mib, cost.cpu_seconds, cost.cpu_percent)
        table.add_row(cost.what, f"{cost.seconds:.0f}", *(f"{figure:.2f}" for figure in figures))
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
