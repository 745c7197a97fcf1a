"""`python -m tests.bench drain --moves 100`: what a planned move costs, with one interface and with one for each worker.

Two workers that masquerade, half the round trip away each way by a relay in user space; a packet of UDP each millisecond
and its echo, moved to and fro; then TCP transfers, all under way when their worker is drained, and a new one after it. Then a fleet of two
workers that do not masquerade: transfers are under way when their worker is drained, and others when it is killed. A
last line of JSON; exit status 1 if the layout per-worker lost a packet or a transfer, or either layout one without NAT.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from rich.console import Console
from rich.table import Table

from tests.bench._way_back import Unmasked, measure
from tests.lab import addresses
from tests.lab.inside import command
from tests.lab.machines import Client
from tests.lab.network import Network
from tests.lab.perworker import PerWorkerClient, ask, document, ending, listen, stream, via
from tests.lab.traffic import Traffic
from tests.lab.waiting import WaitedInVainError, wait_until

DELAYED_PORT = 51830
MILLISECONDS = 1
"""Between packets."""
PAUSE_SECONDS = 1.0
"""Between moves: many round trips, so that what one loses is not the next one's."""
SETTLE_SECONDS = 1.0
LINES = 500
"""Of a transfer, each answered before the next one goes: longer than it takes to begin all of them."""
TRANSFER_SECONDS = 120.0
SINGLE, PER_WORKER = "single", "per-worker"


@dataclass(frozen=True, slots=True)
class Moved:
    """What some moves cost one layout."""

    layout: str
    moves: int
    sent: int
    lost: int
    longest_silence: float
    """Seconds."""
    took: float
    """Seconds that the median configuration took, from the first program run to the last."""
    connections: int
    survived: int
    new_on_new: bool
    """A connection that began after the drain took the other worker."""


def main() -> int:
    """Run the bench; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench drain", description=__doc__)
    parser.add_argument("--moves", type=int, default=100, help="of the UDP flow (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=50, help="of TCP (default: %(default)s)")
    parser.add_argument("--round-trip", type=float, default=50.0, help="milliseconds (default: %(default)s)")
    arguments = parser.parse_args()
    found = [
        _measure(layout, arguments.moves, arguments.connections, arguments.round_trip)
        for layout in (SINGLE, PER_WORKER)
    ]
    unmasked = measure({SINGLE: Client, PER_WORKER: PerWorkerClient})
    Console(stderr=True).print(table(found, unmasked))
    figures = summary(found, unmasked, arguments.round_trip)
    print(json.dumps(figures))
    return 0 if figures["kept"] else 1


def table(found: Sequence[Moved], unmasked: Mapping[str, Unmasked]) -> Table:
    """For people."""
    shown = Table("layout", "moves", "packets", "lost", "longest silence", "a configuration", "TCP survived")
    shown.add_column("without NAT")
    shown.add_column("and a death")
    for one in found:
        shown.add_row(
            one.layout,
            str(one.moves),
            str(one.sent),
            str(one.lost),
            f"{one.longest_silence * 1000:.0f} ms",
            f"{one.took * 1000:.0f} ms",
            f"{one.survived} of {one.connections}",
            f"{unmasked[one.layout].drained} of {unmasked[one.layout].connections}",
            f"{unmasked[one.layout].killed} of {unmasked[one.layout].connections}",
        )
    return shown


def summary(found: Sequence[Moved], unmasked: Mapping[str, Unmasked], round_trip: float) -> dict[str, object]:
    """For programs."""
    of = {one.layout: one for one in found}
    single, per_worker = of[SINGLE], of[PER_WORKER]
    return {
        "round_trip_ms": round_trip,
        "moves": per_worker.moves,
        "packets": per_worker.sent,
        "per_worker_lost": per_worker.lost,
        "single_lost": single.lost,
        "single_lost_per_move": round(single.lost / single.moves, 2),
        "nat_tcp_survived": per_worker.survived,
        "nat_tcp_total": per_worker.connections,
        "single_nat_tcp_survived": single.survived,
        "plain_tcp_survived": unmasked[PER_WORKER].drained,
        "plain_tcp_outlived": unmasked[PER_WORKER].killed,
        "plain_tcp_total": unmasked[PER_WORKER].connections,
        "single_plain_tcp_survived": unmasked[SINGLE].drained,
        "single_plain_tcp_outlived": unmasked[SINGLE].killed,
        "kept": per_worker.lost == 0
        and per_worker.survived == per_worker.connections > 0
        and per_worker.new_on_new
        and all(one.drained == one.killed == one.connections > 0 for one in unmasked.values()),
    }


def _measure(layout: str, moves: int, connections: int, round_trip: float) -> Moved:
    kind = Client if layout == SINGLE else PerWorkerClient
    with Network(2, 1, client=kind) as net:
        listen(net)
        for worker in net.workers:
            relay = command("delay", worker.address, DELAYED_PORT, addresses.LISTEN_PORT, round_trip / 2)
            worker.spawn("delay", relay, ready="listening")
            worker.endpoint = f"{worker.address}:{DELAYED_PORT}"
        run = _Run(net, layout)
        run.move(["w1"])
        traffic = run.client.traffic(milliseconds=MILLISECONDS)
        traffic.wait_until_flowing(via="w1")
        sent, lost, silence, took = run.packets(traffic, moves)
        survived, new_on_new = run.transfers(connections)
    return Moved(layout, moves, sent, lost, silence, took, connections, survived, new_on_new)


class _Run:
    """One layout on one client."""

    def __init__(self, net: Network, layout: str) -> None:
        self.net = net
        self.client = net.client("c1")
        self.layout = layout
        self.home = self.client.directory / "state"
        if isinstance(self.client, PerWorkerClient):
            self.home = self.client.home  # Its key is there.
        self.home.mkdir(mode=0o700, exist_ok=True)

    def move(self, to: Sequence[str], *, drain_deadline: float = 3600.0, pause: float = 0.0) -> list[float]:
        """Move there, one after the other; how long each took."""
        steps = [(document(self.net.workers, {}), name) for name in to]
        said = ask(
            self.client,
            steps,
            home=str(self.home),
            layout=self.layout,
            pause=pause,
            drain_deadline=drain_deadline,
        )
        took: list[float] = said["took"]
        return took

    def packets(self, traffic: Traffic, moves: int) -> tuple[int, int, float, float]:
        """Packets sent and lost, the longest silence, and what a move took. No drain: the flow itself is moved."""
        time.sleep(SETTLE_SECONDS)  # Both sessions are up, and the flow is at its pace.
        began = time.time()
        took = self.move(
            [("w2", "w1")[number % 2] for number in range(moves)], drain_deadline=0.0, pause=PAUSE_SECONDS
        )
        ended = time.time()
        lost = traffic.lost_between(began, ended)
        sent = sum(began <= at < ended for at in traffic.sent)
        silence = traffic.outage(began).seconds
        traffic.stop()
        return sent, lost, silence, statistics.median(took)

    def transfers(self, connections: int) -> tuple[int, bool]:
        """Of so many transfers that are under way when their worker is drained, how many complete; do new ones leave it?"""
        self.move(["w1"])
        held = [stream(self.client, f"transfer{number}", lines=LINES) for number in range(connections)]
        over = [one for one in held if ending(one)]
        if over:
            raise WaitedInVainError(
                f"{len(over)} of {connections} transfers were over before the drain", ending(over[0]) or ""
            )
        self.move(["w2"])
        new = via(stream(self.client, "new", lines=1))
        for one in held:
            wait_until(partial(ending, one), TRANSFER_SECONDS, "a transfer's end")
        return sum(ending(one) == "done" for one in held), new == "w2"


if __name__ == "__main__":
    sys.exit(main())
