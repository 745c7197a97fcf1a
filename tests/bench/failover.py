"""`make bench NAME=failover INTERVAL=1s RUNS=20`: how long a failover takes by the alert path.

Each run kills the WireGuard of a worker that is in use, at a random moment of the probes' interval, and measures each
stage until the traffic of the last of its clients is back. The next run waits until all workers serve again. A table,
then a last line of JSON with the median and the maximum of each stage.
"""

import argparse
import json
import random
import statistics
import sys
import time

from rich.console import Console
from rich.table import Table

from tests.lab.failover import Failover, fail_over
from tests.lab.fleet import Fleet, Profile

HOLD_DOWN_SECONDS = 1.0


def main() -> int:
    """Run the bench; return its exit status."""
    parser = argparse.ArgumentParser(prog="make bench NAME=failover", description=__doc__)
    parser.add_argument("--interval", default="1s", help="between probes (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=20, help="kills (default: %(default)s)")
    arguments = parser.parse_args()
    # Without doubling: the bench measures how fast a worker is left, and fails the same few over and over.
    profile = Profile(interval=arguments.interval, hold_down=HOLD_DOWN_SECONDS, hold_down_factor=1.0)
    console = Console(stderr=True)
    console.print(f"probes every {arguments.interval}, hold-down {HOLD_DOWN_SECONDS:g} s without doubling")
    runs = _measure(profile, arguments.runs, console)
    _print_table(runs)
    figures: dict[str, float] = {}
    for name in runs[0].figures():
        values = [run.figures()[name] for run in runs]
        figures |= {f"{name}_p50": round(statistics.median(values), 4), f"{name}_max": round(max(values), 4)}
    settings = {"runs": len(runs), "interval": arguments.interval, "hold_down_seconds": HOLD_DOWN_SECONDS}
    print(json.dumps(figures | settings))
    return 0


def _measure(profile: Profile, runs: int, console: Console) -> list[Failover]:
    done = []
    limit = 60 + 5 * profile.interval_seconds
    with Fleet(profile) as fleet:
        fleet.wait_until_serving(limit)
        traffics = {name: client.traffic() for name, client in fleet.network.clients.items()}
        for number in range(1, runs + 1):
            in_use = sorted({worker for client in traffics if (worker := fleet.active(client))})
            time.sleep(random.uniform(0, profile.interval_seconds))  # The phase, not a wait.
            failover = fail_over(fleet, random.choice(in_use), traffics, timeout=limit)
            done.append(failover)
            back = failover.figures()["killed_to_traffic_seconds"]
            console.print(f"run {number} of {runs}: {failover.worker}, traffic back after {back:.2f} s")
            fleet.network.worker(failover.worker).restart()
            fleet.wait_until_serving(2 * limit)
    return done


def _print_table(runs: list[Failover]) -> None:
    table = Table(box=None, header_style="bold")
    for column in ("stage", "min", "median", "max"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for name in runs[0].figures():
        values = [run.figures()[name] for run in runs]
        cells = (f"{value:.3f}" for value in (min(values), statistics.median(values), max(values)))
        table.add_row(name.removesuffix("_seconds").replace("_", " "), *cells)
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
