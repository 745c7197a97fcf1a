"""`python -m tests.bench vantage --interval 1s --seconds 60`: what monitoring does when it is itself cut off.

Again and again the monitoring host's network carries nothing, from a random moment of the probes' interval and for a
random time: too short for an alert, just long enough, much longer. Every worker is well all the while, so every
failover that happens is false. A last line of JSON; exit status 1 if there was one, or if no cut was long enough to
prove anything.
"""

import argparse
import json
import random
import sys
import time
from dataclasses import dataclass

from rich.console import Console

from tests.lab.fleet import Fleet, Profile

HOLD_DOWN_SECONDS = 1.0

THRESHOLD = 3
"""Failed probes in a row, from which a vantage that did not doubt itself would report a worker."""

LONGEST_INTERVALS = 8.0
"""The longest cut, in probe intervals: more than twice what an alert needs."""

LONGEST_PAUSE_INTERVALS = 5.0
"""The longest time between two cuts, in probe intervals: the last one's probes may still be in the window, or not."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One cut of the monitoring host's network, in UNIX seconds."""

    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.ended - self.began


def main() -> int:
    """Run the bench; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench vantage", description=__doc__)
    parser.add_argument("--interval", default="1s", help="between probes (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="at least this long (default: %(default)s)"
    )
    arguments = parser.parse_args()
    profile = Profile(interval=arguments.interval, hold_down=HOLD_DOWN_SECONDS, hold_down_factor=1.0)
    console = Console(stderr=True)
    with Fleet(profile) as fleet:
        fleet.wait_until_serving(60 + 5 * profile.interval_seconds)
        began = time.time()
        cuts = _cut_again_and_again(fleet, arguments.seconds, console)
        figures = _figures(fleet, began, cuts)
    print(json.dumps({"interval": arguments.interval, **figures}))
    return 0 if figures["failovers"] == 0 and figures["cuts_past_threshold"] else 1


def _cut_again_and_again(fleet: Fleet, seconds: float, console: Console) -> list[Cut]:
    interval = fleet.profile.interval_seconds
    cuts: list[Cut] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(random.uniform(0, LONGEST_PAUSE_INTERVALS) * interval)  # The phase, not a wait.
        cuts.append(_cut(fleet, random.uniform(0, LONGEST_INTERVALS) * interval))
        console.print(f"cut {len(cuts)}: {cuts[-1].seconds:.2f} s", highlight=False)
    fleet.wait_until_serving(60 + 5 * interval)
    return cuts


def _cut(fleet: Fleet, seconds: float) -> Cut:
    began = time.time()
    fleet.network.monitoring.cut_off()
    time.sleep(seconds)
    fleet.network.monitoring.mend()
    return Cut(began, time.time())


def _figures(fleet: Fleet, since: float, cuts: list[Cut]) -> dict[str, float]:
    interval = fleet.profile.interval_seconds
    receiver = fleet.journal(fleet.receiver)
    decided = receiver.lines("decided", since=since)
    moved = [move for client in fleet.network.clients for move in fleet.moves(client, since=since)]
    return {
        "cuts": len(cuts),
        "cuts_past_threshold": sum(cut.seconds > (THRESHOLD + 1) * interval for cut in cuts),
        "cut_seconds": round(sum(cut.seconds for cut in cuts), 1),
        "probes_failed": _probes_failed(fleet, since),
        "blind_alerts": len(receiver.lines("alert", since=since, alertname="WireGuardVantageBlind")),
        "decisions": len(decided),
        "moves": len(moved),
        "failovers": len(moved) + sum(line["after"] in {"down", "suspect"} for line in decided),
    }


def _probes_failed(fleet: Fleet, since: float) -> int:
    """How many probes through the tunnel failed: that the cuts were felt."""
    span = f"{time.time() - since:.0f}s"
    series = fleet.query(f'probe_success{{job="wgfleet-tunnel"}}[{span}]')
    return sum(value == "0" for one in series for _, value in one["values"])


if __name__ == "__main__":
    sys.exit(main())
