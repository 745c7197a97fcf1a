"""`make bench NAME=failover INTERVAL=1s RUNS=20`: how long a failover takes by the alert path.

Each run makes a worker fail that is in use, at a random moment of the probes' interval, and measures each stage from
the moment of the failure until the traffic of the last of its clients is back. The ways of failing take turns: its
WireGuard is killed, its network is cut off, its WireGuard is frozen. The next run waits until all workers serve again.
A table for each way and for all, then a last line of JSON.
"""

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from tests.lab.failover import Failover, Way, fail_over
from tests.lab.fleet import Fleet, Profile
from tests.lab.waiting import WaitedInVainError

HOLD_DOWN_SECONDS = 1.0
"""As short as the receiver's own steps. Whatever a recovery needs beside it, the bench waits for."""

IN_JSON: Mapping[str, Callable[[Sequence[float]], float]] = {
    "min": min,
    "p50": statistics.median,
    "max": max,
}

WHOLE = ("killed_to_firing", "killed_to_traffic")
"""What the last line says of each way: how long until the alert, and until the traffic. The tables have all stages."""


@dataclass(frozen=True, slots=True)
class Run:
    """One failure, and what came of it."""

    way: Way
    failover: Failover


def main() -> int:
    """Run the bench; return its exit status."""
    arguments = _parser().parse_args()
    # Without doubling: the bench measures how fast a worker is left, and fails the same few over and over.
    profile = Profile(interval=arguments.interval, hold_down=HOLD_DOWN_SECONDS, hold_down_factor=1.0)
    console = Console(stderr=True)
    console.print(f"probes every {arguments.interval}, hold-down {HOLD_DOWN_SECONDS:g} s without doubling")
    runs = measure(profile, turns(arguments.ways, arguments.runs), console)
    for way in arguments.ways:
        _print_table(way, [run.failover for run in runs if run.way is way])
    _print_table("all", [run.failover for run in runs])
    print(json.dumps(summary(runs, arguments.interval)))
    return 0


def turns(ways: Sequence[Way], runs: int) -> list[Way]:
    """Each way as often as the others, as far as the number allows, in an order nobody can foresee."""
    chosen = [ways[number % len(ways)] for number in range(runs)]
    random.shuffle(chosen)
    return chosen


def summary(runs: Sequence[Run], interval: str) -> dict[str, object]:
    """The last line: of each stage the least, the median and the most, in all; and of the whole for each way."""
    ways = sorted({run.way for run in runs})
    everything = _by_stage([run.failover for run in runs])
    return {
        "interval": interval,
        "runs": len(runs),
        "hold_down_seconds": HOLD_DOWN_SECONDS,
        **_figures(everything),
        "ways": {
            way: {"runs": len(of_way), **_figures({name: _by_stage(of_way)[name] for name in WHOLE})}
            for way in ways
            if (of_way := [run.failover for run in runs if run.way is way])
        },
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench NAME=failover", description=__doc__)
    parser.add_argument("--interval", default="1s", help="between probes (default: %(default)s)")
    parser.add_argument("--runs", type=count_of, default=20, help="failures (default: %(default)s)")
    parser.add_argument(
        "--ways",
        type=ways_of,
        default=list(Way),
        metavar="WAY,…",
        help=f"how workers fail (default: {','.join(Way)})",
    )
    return parser


def count_of(text: str) -> int:
    """Of failures, as said on the command line."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of failures: 1 or more")
    return int(text)


def ways_of(text: str) -> list[Way]:
    """Those that are said on the command line."""
    try:
        return list(dict.fromkeys(Way(word) for word in text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: a way to fail is one of {', '.join(Way)}; several with commas between"
        ) from None


def measure(profile: Profile, ways: Sequence[Way], console: Console) -> list[Run]:
    """Run after run on one fleet, each in its way."""
    done = []
    limit = 60 + 5 * profile.interval_seconds
    with Fleet(profile) as fleet:
        fleet.wait_until_serving(limit)
        traffics = {name: client.traffic() for name, client in fleet.network.clients.items()}
        for number, way in enumerate(ways, start=1):
            for traffic in traffics.values():
                traffic.wait_until_flowing()
            in_use = sorted({worker for client in traffics if (worker := fleet.active(client))})
            time.sleep(random.uniform(0, profile.interval_seconds))  # The phase, not a wait.
            worker = random.choice(in_use)
            try:
                failover = fail_over(fleet, worker, traffics, timeout=limit, way=way)
            except WaitedInVainError:
                fleet.network.keep = True  # What nobody expected is in the logs, if anywhere.
                console.print(
                    f"run {number} of {len(ways)}: {worker}, {way}: the logs are in {fleet.network.directory}"
                )
                raise
            done.append(Run(way, failover))
            figures = failover.figures()
            console.print(
                f"run {number} of {len(ways)}: {failover.worker}, {way}: firing after "
                f"{figures['killed_to_firing_seconds']:.2f} s, traffic back after "
                f"{figures['killed_to_traffic_seconds']:.2f} s",
                highlight=False,
            )
            if number < len(ways):
                way.mend(fleet.network.worker(failover.worker))
                fleet.wait_until_serving(2 * limit)
    return done


def _figures(stages: Mapping[str, Sequence[float]]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for stage, values in stages.items():
        told = {word: round(summed(values), 4) for word, summed in IN_JSON.items()}
        figures |= {f"{stage}_seconds_{word}": value for word, value in told.items()}
    return figures


def _by_stage(failovers: Sequence[Failover]) -> dict[str, list[float]]:
    all_figures = [failover.figures() for failover in failovers]
    return {
        name.removesuffix("_seconds"): [figures[name] for figures in all_figures] for name in all_figures[0]
    }


def _print_table(title: str, failovers: Sequence[Failover]) -> None:
    if not failovers:  # More ways than runs.
        return
    runs = "1 run" if len(failovers) == 1 else f"{len(failovers)} runs"
    table = Table(box=None, header_style="bold", title=f"{title}: {runs}, in seconds", title_justify="left")
    table.add_column("stage", min_width=32)
    for word in IN_JSON:
        table.add_column(word, justify="right")
    for stage, values in _by_stage(failovers).items():
        cells = (f"{summed(values):.3f}" for summed in IN_JSON.values())
        table.add_row(stage.replace("_", " "), *cells)
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
