"""`make bench NAME=fanout WATCHERS=10000`: how long until the last of many watchers has the new document.

The real receiver, with SQLite on a disk and a token for each watcher: an alert comes by webhook, changes what is published, and
every watcher gets the whole signed document of eight workers. Beside it in the same run, rounds taking turns, mosquitto
with as many subscribers of a retained topic, which is sent the same bytes, ready made, at QoS 0. The servers have the first
core, the crowds the last; after each round every watcher's bytes are compared by digest with what was published.
Then the same with a receiver of two processes, which have all cores; and with a follower between receiver and watchers, in turns with
a receiver whose watchers are its own. At last, with 64 workers' documents: some watchers stop reading until nothing more fits into
their sockets, and read again.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table as Printed

from failover_receiver.listening import OTHER_FILES
from tests.bench._crowd import (
    Crowd,
    Round,
    Stream,
    connect_packet,
    publish_packet,
    raise_file_limit,
    subscribe_packet,
)
from tests.bench._followed import Followed, follow
from tests.bench._servers import (
    ASKERS,
    SSE_END,
    WARM_UP,
    WORKERS,
    Receiver,
    core,
    cpu_ms,
    events,
    mosquitto,
    resident_kb,
)

MANY_WORKERS = 64
TOPIC = "wgfleet/peer-set"
SPARE = 8
"""Streams that the receiver could take beside the largest crowd."""
STALLED, OTHERS = 4, 100
FEW, ENOUGH = 30, 300
"""Publications before anybody stalls; and while they stall, of 20 kB each: more than a socket's 4 MB, twice that of Linux."""


@dataclass(frozen=True, slots=True)
class Side:
    """One server's rounds, in milliseconds; medians."""

    first: float
    half: float
    last: float
    worst: float
    cpu_us: float
    """The server's, for each watcher and round."""
    crowd_share: float
    """Of a core that the crowd itself took while it waited."""
    connect: float
    """Connections made and served in a second."""
    kb: float
    """Memory for each watcher."""


@dataclass(frozen=True, slots=True)
class Fanout:
    """Both, with as many watchers."""

    watchers: int
    document: int
    processes: int
    """Of ours."""
    ours: Side
    theirs: Side

    @property
    def ratio(self) -> float:
        """Our time by theirs."""
        return self.ours.last / self.theirs.last


@dataclass(frozen=True, slots=True)
class Stall:
    """What others notice of a few who do not read, and what these have afterwards."""

    before_ms: float
    during_ms: float
    """Until the last of the others has it; lower quartiles, in which nobody else's use of the machine shows."""
    newest_seconds: float
    missed: int
    """Documents that those who did not read were spared."""

    @property
    def delays_others(self) -> bool:
        """Half as long again, and a millisecond, is more than the noise of a machine that others use."""
        return self.during_ms > 1.5 * self.before_ms + 1.0


def main() -> int:
    """Run the bench; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench fanout", description=__doc__)
    parser.add_argument("--watchers", type=int, action="append", metavar="N",
                        help="so many; may be given again (default: 1000, 10000, and as many as open files allow)")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=15, help="of which the medians count (%(default)s)")
    arguments = parser.parse_args()
    console = Console(stderr=True)
    most = raise_file_limit() - OTHER_FILES - SPARE
    asked = arguments.watchers or [1_000, 10_000, most]
    measured = []
    for watchers in (min(one, most) for one in asked):
        console.print(f"{watchers} watchers, {arguments.rounds} rounds of each")
        measured.append(fan_out(watchers, arguments.rounds, console))
    chief = _nearest(measured).watchers
    console.print(f"{chief} watchers of two processes")
    two = fan_out(chief, arguments.rounds, console, processes=2)
    console.print(f"{chief} watchers of a follower")
    followed = follow(chief, arguments.rounds, console)
    console.print(f"{STALLED} of {STALLED + OTHERS} watchers stop reading, {ENOUGH} publications")
    stall = stalled(ENOUGH)
    print_table([*measured, two], stall, followed)
    print(json.dumps(summary(measured, stall, two, followed)))
    return 0


def _nearest(measured: Sequence[Fanout]) -> Fanout:
    return min(measured, key=lambda one: abs(one.watchers - 10_000))


def summary(measured: Sequence[Fanout], stall: Stall, two: Fanout, followed: Followed) -> dict[str, object]:
    """The last line: of 10,000 watchers, or of the crowd that comes nearest to it."""
    chief = _nearest(measured)
    return {
        "watchers": chief.watchers,
        "last_vs_mosquitto": round(chief.ratio, 2),
        "last_vs_mosquitto_2p": round(two.ratio, 2),
        "last_2p_ms": round(two.ours.last, 1),
        "follower_last_vs_direct": round(followed.ratio, 2),
        "follower_last_ms": round(followed.follower, 1),
        "direct_last_ms": round(followed.direct, 1),
        "first_ms": round(chief.ours.first, 2),
        "last_ms": round(chief.ours.last, 1),
        "mosquitto_last_ms": round(chief.theirs.last, 1),
        "kb_per_watcher": round(chief.ours.kb, 2),
        "cpu_us_per_watcher": round(chief.ours.cpu_us, 2),
        "stalled_delays_others": stall.delays_others,
        "stalled_newest_seconds": round(stall.newest_seconds, 3),
        "last_ms_by_watchers": {one.watchers: round(one.ours.last, 1) for one in measured},
    }


def fan_out(watchers: int, rounds: int, console: Console, *, processes: int = 1) -> Fanout:
    """A receiver and a mosquitto with as many watchers each; the rounds take turns."""
    with tempfile.TemporaryDirectory(prefix="wgfleet-fanout.") as folder:
        receiver = Receiver(Path(folder) / "receiver", workers=WORKERS, tokens=watchers, processes=processes)
        receiver.start()
        try:
            with mosquitto(Path(folder)) as (broker, broker_pid):
                return _take_turns(receiver, broker, broker_pid, rounds, console)
        finally:
            receiver.running.kill()


def _take_turns(
    receiver: Receiver, broker: tuple[str, int], broker_pid: int, rounds: int, console: Console
) -> Fanout:
    document, pids = receiver.document(), (receiver.pids, [broker_pid])
    streams = (events(receiver.tokens), _topic(len(receiver.tokens), document))
    with (
        Crowd(receiver.address, streams[0], core=core(ASKERS)) as ours,
        Crowd(broker, streams[1], core=core(ASKERS)) as theirs,
    ):
        _retain(broker, document)
        before = [resident_kb(*some) for some in pids]
        took = [ours.connect(), theirs.connect()]
        kb = [
            (resident_kb(*some) - was) / len(receiver.tokens) for some, was in zip(pids, before, strict=True)
        ]
        console.print(f"  connected in {took[0]:.1f} s and {took[1]:.1f} s")
        told: tuple[list[Round], list[Round]] = ([], [])
        spent: tuple[list[float], list[float]] = ([], [])
        for number in range(WARM_UP + rounds):
            document = _one_round(receiver, pids, (ours, theirs), told, spent)
            console.print(
                f"  round {number + 1}: {told[0][-1].last:.1f} ms, mosquitto {told[1][-1].last:.1f} ms"
            )
    sides = [
        _side(told[at][WARM_UP:], spent[at][WARM_UP:], len(receiver.tokens), took[at], kb[at])
        for at in (0, 1)
    ]
    return Fanout(len(receiver.tokens), len(document), len(pids[0]), *sides)


def _one_round(
    receiver: Receiver,
    pids: tuple[list[int], list[int]],
    crowds: tuple[Crowd, Crowd],
    told: tuple[list[Round], list[Round]],
    spent: tuple[list[float], list[float]],
) -> bytes:
    """First ours, then mosquitto with what came of it."""
    ours, theirs = crowds
    was = cpu_ms(*pids[0])
    told[0].append(ours.round(receiver.webhook(), end=SSE_END))
    ours.answer()
    spent[0].append(cpu_ms(*pids[0]) - was)
    document = receiver.document()
    ours.check(document)
    was = cpu_ms(*pids[1])
    told[1].append(theirs.round(publish_packet(TOPIC, document), end=document[-16:]))
    spent[1].append(cpu_ms(*pids[1]) - was)
    theirs.check(document)
    return document


def _side(told: Sequence[Round], spent: Sequence[float], watchers: int, connect: float, kb: float) -> Side:
    return Side(
        first=statistics.median(one.first for one in told),
        half=statistics.median(one.half for one in told),
        last=statistics.median(one.last for one in told),
        worst=max(one.last for one in told),
        cpu_us=1000 * statistics.median(spent) / watchers,
        crowd_share=statistics.median(one.cpu / one.last for one in told),
        connect=watchers / connect,
        kb=kb,
    )


def _topic(watchers: int, document: bytes) -> Stream:
    hello = [connect_packet(f"client{number}") + subscribe_packet(TOPIC) for number in range(watchers)]
    return Stream(hello, document[-16:], sse=False)


def _retain(broker: tuple[str, int], document: bytes) -> None:
    """So that subscribers have a document at once, as ours have."""
    with Crowd(broker, Stream([], b"", sse=False), core=core(ASKERS)) as nobody:
        nobody.connect()
        nobody.tell(publish_packet(TOPIC, document))


def stalled(publications: int) -> Stall:
    """Some stop reading while documents go on coming; then they read."""
    with tempfile.TemporaryDirectory(prefix="wgfleet-fanout.") as folder:
        receiver = Receiver(Path(folder) / "receiver", workers=MANY_WORKERS, tokens=STALLED + OTHERS)
        receiver.start()
        try:
            with Crowd(receiver.address, events(receiver.tokens), core=core(ASKERS)) as crowd:
                crowd.connect(sleepers=STALLED)
                lasts = []
                for _ in range(publications):
                    lasts.append(crowd.round(receiver.webhook(), end=SSE_END).last)
                    crowd.answer()
                newest = receiver.document()
                crowd.check(newest)
                seconds, got = crowd.wake(newest)
        finally:
            receiver.running.kill()
    few = min(FEW, publications // 2)
    before, during = (statistics.quantiles(some)[0] for some in (lasts[:few], lasts[-few:]))
    return Stall(before, during, seconds, publications - got)


def print_table(measured: Sequence[Fanout], stall: Stall, followed: Followed) -> None:
    """For people."""
    table = Printed(box=None, header_style="bold")
    for column in (
        "watchers",
        "server",
        "first",
        "half",
        "last",
        "worst",
        "ratio",
        "µs",
        "kB",
        "conn/s",
        "crowd",
    ):
        table.add_column(column, justify="left" if column == "server" else "right", no_wrap=True)
    for one in measured:
        ours = "receiver" if one.processes == 1 else f"{one.processes} processes"
        for name, side in ((ours, one.ours), ("mosquitto", one.theirs)):
            table.add_row(
                f"{one.watchers}", name, f"{side.first:.2f}", f"{side.half:.1f}", f"{side.last:.1f}", f"{side.worst:.1f}",
                f"{side.last / one.theirs.last:.2f}", f"{side.cpu_us:.1f}", f"{side.kb:.1f}", f"{side.connect:.0f}",
                f"{side.crowd_share:.0%}",
            )  # fmt: skip
    console = Console()
    console.print(table)
    console.print(
        f"Milliseconds from the webhook until watchers have the whole document of {measured[-1].document} bytes, and the last one's by "
        "mosquitto's; the server's processor time and memory for each watcher; connections served in a second; the crowd's share of its "
        "core, which near 100 % would be what is measured."
    )
    console.print(
        f"Last of {followed.watchers} watchers of a follower: {followed.follower:.1f} ms, of the receiver itself {followed.direct:.1f} ms."
    )
    console.print(
        f"Last of {OTHERS} watchers: {stall.before_ms:.1f} ms at first, {stall.during_ms:.1f} ms after {STALLED} had stopped reading; "
        f"these were spared {stall.missed} documents, and had the newest {stall.newest_seconds:.3f} s after they read again."
    )


if __name__ == "__main__":
    sys.exit(main())
