"""Failovers on an interface that wg-quick made, with hooks and a peer of somebody else's: is anything of theirs touched?

Each is a worker killed, with no receiver up; after each, the interface's number, key, port and mark, all policy rules and
nftables, its file and the sessions with all others must be as before. With `--apply restart` all of that is made anew at each:
then only the silence is measured, without the kill switch and with it. A last line of JSON.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence

from client_sync.applying import Apply
from tests.lab.live import fail_over_live, fail_over_restarting
from tests.lab.network import Network
from tests.lab.quick import QuickClient, network
from tests.lab.traffic import Outage

LIVE, RESTART, SWITCHED = "live", "restart", "restart with kill switch"


def main() -> int:
    """Run it; return 1 if something was touched."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench live", description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="failovers (default: %(default)s)")
    parser.add_argument(
        "--apply", type=Apply, default=Apply.LIVE, help="live or restart (default: %(default)s)"
    )
    arguments = parser.parse_args()
    ways = (LIVE,) if arguments.apply is Apply.LIVE else (RESTART, SWITCHED)
    found = {}
    for way in ways:
        try:
            found[way] = _measure(way, arguments.runs)
        except AssertionError as error:
            print(f"touched: {error}", file=sys.stderr)
            return 1
    if LIVE in found:
        print("number, key, port, mark, rules, file and the sessions with others were as before after each")
    print(json.dumps(summary(found)))
    return 0


def summary(found: Mapping[str, Sequence[float]]) -> dict[str, object]:
    """For programs: seconds of silence."""
    figures: dict[str, object] = {"runs": min(map(len, found.values()))}
    for way, seconds in found.items():
        name = way.replace(" ", "_")
        figures[f"{name}_p50"] = round(statistics.median(seconds), 2)
        figures[f"{name}_max"] = round(max(seconds), 2)
    return figures


def _measure(way: str, runs: int) -> list[float]:
    """Seconds of silence of each failover. Raises AssertionError."""
    seconds = []
    with network() as net:
        client = net.client("c1")
        if not isinstance(client, QuickClient):
            raise TypeError("the network has another kind of client")
        client.bring_up(net.worker("w1"), net.worker("w3"))
        for outage in _failovers(way, net, client, runs):
            seconds.append(outage.seconds)
            print(
                f"{way}  {len(seconds):3}  silent for {outage.seconds:.2f} s, then {outage.via_after}",
                flush=True,
            )
    print(
        f"{way}: {runs} failovers, silent for {statistics.median(seconds):.2f} s in the median, {max(seconds):.2f} s at most"
    )
    return seconds


def _failovers(way: str, net: Network, client: QuickClient, runs: int) -> Iterable[Outage]:
    if way == LIVE:
        return fail_over_live(net, client, runs)
    return fail_over_restarting(net, client, runs, kill_switch=way == SWITCHED)


if __name__ == "__main__":
    sys.exit(main())
