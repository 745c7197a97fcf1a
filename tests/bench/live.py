"""Failovers on an interface that wg-quick made, with hooks and a peer of somebody else's: is anything of theirs touched?

Each is a worker killed, with no receiver up; after each, the interface's number, key, port and mark, all policy rules and
nftables, its file and the sessions with all others must be as before.
"""

import argparse
import statistics
import sys

from tests.lab.live import fail_over_live
from tests.lab.quick import QuickClient, network


def main() -> int:
    """Run it; return 1 if something was touched."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench live", description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="failovers (default: %(default)s)")
    runs = parser.parse_args().runs
    outages = []
    with network() as net:
        client = net.client("c1")
        if not isinstance(client, QuickClient):
            raise TypeError("the network has another kind of client")
        client.bring_up(net.worker("w1"), net.worker("w3"))
        try:
            for outage in fail_over_live(net, client, runs):
                outages.append(outage.seconds)
                print(
                    f"{len(outages):3}  silent for {outage.seconds:.2f} s, then {outage.via_after}",
                    flush=True,
                )
        except AssertionError as error:
            print(f"touched: {error}", file=sys.stderr)
            return 1
    print(
        f"{runs} failovers, silent for {statistics.median(outages):.2f} s in the median, {max(outages):.2f} s at most;"
    )
    print("number, key, port, mark, rules, file and the sessions with others were as before after each")
    return 0


if __name__ == "__main__":
    sys.exit(main())
