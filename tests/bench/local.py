"""`make bench NAME=local RUNS=60`: how soon clients leave a dead worker by themselves, with the whole control plane gone.

The receiver, Prometheus, Alertmanager and the blackbox exporter are killed first. Then a worker that is in use fails, at a
random moment, over and over. The ways take turns: its WireGuard is killed or frozen, its network is cut off or its link
goes down, or it is killed just after another worker has restarted and lost its sessions. One client sends a packet
every 10 ms, the other nothing at all; of that one the daemon's own log says when it had moved.
Then, in another fleet, for SECONDS, what must move nobody, each at a client of its own: a path that loses or delays packets,
an upload of one way, a saturated uplink, a daemon that gets no processor or sleeps; each ends with a real death. A step of the wall clock is not among
them: nothing that the daemon decides by reads it. Tables, then a last line of JSON.
"""

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from rich.console import Console
from rich.table import Table

from tests.bench._disturbed import disturbed, show
from tests.lab.fleet import Fleet, Profile
from tests.lab.machines import Worker
from tests.lab.traffic import Traffic

BUSY, IDLE = "c1", "c2"
LIMIT = 60.0
"""Seconds. Whatever is waited for has come long before."""
SETTLED = 3.0
"""Seconds after a move in which another one, that must not come, would show."""


class Way(StrEnum):
    """How a worker fails."""

    KILL = "kill"
    """Its WireGuard ends."""
    FREEZE = "freeze"
    """Its WireGuard stands still."""
    CUT = "cut off"
    """Its network carries nothing, silently."""
    LINK = "link down"
    """Its cable is pulled."""
    STANDBY = "restarted standby"
    """It is killed, when the standbys have just restarted and know nothing of their sessions."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one client made of one failure."""

    way: Way
    busy: bool
    seconds: float
    """Busy: until its traffic was back; idle: until it had moved."""
    moves: int


def main() -> int:
    """Run the bench; return its exit status."""
    parser = argparse.ArgumentParser(prog="make bench NAME=local", description=__doc__)
    parser.add_argument("--runs", type=int, default=60, help="failures; 0 for none (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=300.0, help="of each disturbance; 0 for none (default: %(default)s)"
    )
    arguments = parser.parse_args()
    console = Console(stderr=True)
    figures: dict[str, float] = {}
    if arguments.runs:
        figures |= _failures(arguments.runs, console)
    if arguments.seconds:
        figures |= _disturbances(arguments.seconds, console)
    print(json.dumps(figures))
    return 0


def _failures(runs: int, console: Console) -> dict[str, float]:
    with Fleet(Profile(local_failover=True)) as fleet:
        fleet.wait_until_serving()
        traffic = fleet.network.client(BUSY).traffic()
        traffic.wait_until_flowing()
        fleet.end_the_control_plane()
        console.print(
            "receiver, Prometheus, Alertmanager and blackbox exporter are dead; 3 workers, 2 clients"
        )
        found = list(_measured(fleet, traffic, turns(runs), console))
        leaked = fleet.network.underlay.leaked()
    _show(found)
    return summary(found) | {"failures": runs, "leaked": leaked}


def _disturbances(seconds: float, console: Console) -> dict[str, float]:
    worn = disturbed(seconds, console)
    show(worn)
    return {
        "false_moves": sum(one.moves for one in worn),
        "disturbed_max": round(max(one.found for one in worn), 4),
    }


def turns(runs: int) -> list[Way]:
    """Each way as often as the others, as far as the number allows, in an order nobody can foresee."""
    ways = [list(Way)[number % len(Way)] for number in range(runs)]
    random.shuffle(ways)
    return ways


def summary(found: Sequence[Found]) -> dict[str, float]:
    """Of each client the median and the most; and how often a failure moved one."""
    figures: dict[str, float] = {}
    for name, busy in (("busy", True), ("idle", False)):
        seconds = [one.seconds for one in found if one.busy is busy]
        if seconds:
            figures |= {f"{name}_p50": statistics.median(seconds), f"{name}_max": max(seconds)}
    moves = sum(one.moves for one in found) / len(found)
    return {name: round(value, 4) for name, value in figures.items()} | {"moves_per_failure": round(moves, 4)}


def _measured(fleet: Fleet, traffic: Traffic, ways: Sequence[Way], console: Console) -> list[Found]:
    found: list[Found] = []
    for number, way in enumerate(ways, start=1):
        fleet.wait_until_warm(LIMIT)
        worker = fleet.active(BUSY if number % 2 else IDLE) or ""
        users = fleet.users(worker)
        time.sleep(random.uniform(0, 1))  # The phase of the probes, not a wait.
        others = [one for one in fleet.network.workers if one.name != worker]
        if way is Way.STANDBY:
            for other in others:
                other.restart()
        struck = time.time()
        _strike(way, fleet.network.worker(worker))
        one_failure = [
            Found(way, client == BUSY, *_followed(fleet, client, worker, struck, traffic)) for client in users
        ]
        found += one_failure
        said = ", ".join(f"{'busy' if one.busy else 'idle'} {one.seconds:.2f} s" for one in one_failure)
        console.print(f"failure {number} of {len(ways)}: {worker}, {way}: {said}", highlight=False)
        _mend(way, fleet.network.worker(worker))
    return found


def _followed(fleet: Fleet, client: str, worker: str, struck: float, traffic: Traffic) -> tuple[float, int]:
    """How long it took this client, and how often it moved."""
    journal = fleet.journal(fleet.sync[client])
    move = journal.wait_for("moved", since=struck, timeout=LIMIT, before=worker)
    seconds = float(move["time"]) - struck
    if client == BUSY:
        traffic.wait_until_flowing(LIMIT)
        seconds = (traffic.outage(struck).first_reply or float("inf")) - struck
    time.sleep(SETTLED)  # For what must not come there is no event.
    return seconds, len(fleet.moves(client, since=struck))


def _strike(way: Way, worker: Worker) -> None:
    strikes: dict[Way, Callable[[], None]] = {
        Way.KILL: worker.kill,
        Way.STANDBY: worker.kill,
        Way.FREEZE: worker.freeze,
        Way.CUT: worker.cut_off,
        Way.LINK: worker.unplug,
    }
    strikes[way]()


def _mend(way: Way, worker: Worker) -> None:
    mends: dict[Way, Callable[[], None]] = {
        Way.KILL: worker.restart,
        Way.STANDBY: worker.restart,
        Way.FREEZE: worker.thaw,
        Way.CUT: worker.mend,
        Way.LINK: worker.plug_in,
    }
    mends[way]()


def _show(found: Sequence[Found]) -> None:
    table = Table(
        "way", "client", "failures", "min s", "p50 s", "max s", "moves", box=None, header_style="bold"
    )
    for way in (*Way, None):
        for name, busy in (("busy", True), ("idle", False)):
            these = [one for one in found if one.busy is busy and way in (None, one.way)]
            if these:
                seconds = [one.seconds for one in these]
                figures = (min(seconds), statistics.median(seconds), max(seconds))
                table.add_row(
                    way or "all", name, str(len(these)), *(f"{figure:.3f}" for figure in figures),
                    str(sum(one.moves for one in these)),
                )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
