"""`make bench NAME=sync`: what a worker's daemon needs for 10,000 clients, and for one more.

From nothing: from the moment a signed client list has arrived until every client is a peer, beside `wg addconf` of a file with
the same peers, in turns on the same real interface, which is emptied in between. One client: from the moment a list
with one more has arrived until that peer is there, the rest being there already. Signature, checks, files and
reading the interface are in the daemon's time; the network is in neither. Afterwards both ways must have left the same peers.
"""

import argparse
import json
import statistics
import sys

from rich.console import Console
from rich.table import Table as Printed

from tests.bench._syncing import Round
from tests.lab.host import Host
from tests.lab.keys import new_key_pair
from tests.lab.launch import Launcher
from tests.lab.preflight import kernel_wireguard, require
from tests.lab.programs import LAB
from tests.lab.wireguard import Interface, Kernel, Userspace

CLIENTS = 10_000
ADDRESS = "10.0.0.1/8"
SECONDS = 60.0
"""No round takes as long."""


def main() -> int:
    """Run the bench; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench sync", description=__doc__)
    parser.add_argument(
        "--runs", type=int, default=5, help="rounds, of which the median counts (%(default)s)"
    )
    arguments = parser.parse_args()
    require(LAB)
    rounds = compare(arguments.runs, CLIENTS)
    print_table(rounds, CLIENTS)
    print(json.dumps(summary(rounds)))
    return 0


def summary(rounds: list[Round]) -> dict[str, float]:
    """The last line."""
    ours = statistics.median(one.from_nothing for one in rounds)
    return {
        "vs_addconf": round(statistics.median(one.from_nothing / one.addconf for one in rounds), 2),
        "one_client_ms": round(statistics.median(one.one_client for one in rounds), 1),
        "from_nothing_ms": round(ours),
        "addconf_ms": round(statistics.median(one.addconf for one in rounds)),
    }


def compare(runs: int, clients: int) -> list[Round]:
    """Both ways in turns, on a real interface of a machine of its own."""
    with Launcher() as launcher:
        host = Host(launcher, "worker", "127.0.0.1")
        host.wait()
        carrier = Kernel(host, "wg0") if kernel_wireguard() else Userspace(host, "wg0")
        Interface(host, "wg0", new_key_pair(), [ADDRESS], carrier, listen_port=51820).start()
        command = [sys.executable, "-m", "tests.bench._syncing", "wg0", str(runs), str(clients)]
        said = host.run(*command, timeout=SECONDS * (runs + 1))
        return [Round(**json.loads(line)) for line in said.splitlines()]


def print_table(rounds: list[Round], clients: int) -> None:
    """For people."""
    table = Printed(box=None, header_style="bold")
    for column in (f"{clients} clients", "median ms", "least", "most"):
        table.add_column(column, justify="left" if column.endswith("clients") else "right", no_wrap=True)
    for name, some in (
        ("from nothing, wgfleet-sync", [one.from_nothing for one in rounds]),
        ("from nothing, wg addconf", [one.addconf for one in rounds]),
        ("one more client", [one.one_client for one in rounds]),
    ):
        table.add_row(name, f"{statistics.median(some):.1f}", f"{min(some):.1f}", f"{max(some):.1f}")
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
