"""`make bench NAME=reconnect`: how soon 10,000 watchers that are cut off at once are all back, and whether any is refused.

They are cut off in two ways: the receiver is killed and started again; and all their connections are reset at one moment, as by
a proxy that restarts. Each watcher comes back after the pauses that the daemon makes: drawn from zero up to 0.2 s, and half as
long again after each failure. It is back when it has a whole document. With one process, and with two that share the port.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table as Printed

from failover_receiver.listening import OTHER_FILES
from tests.bench._crowd import raise_file_limit
from tests.bench._returning import Back, Returning
from tests.bench._servers import ASKERS, WORKERS, Receiver, core, events, free_port


@dataclass(frozen=True, slots=True)
class Measured:
    """One way of being cut off."""

    way: str
    processes: int
    back: Back

    @property
    def errors(self) -> int:
        """Watchers that were answered with anything but a document."""
        return sum(self.back.refused.values())


def main() -> int:
    """Run the bench; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench reconnect", description=__doc__)
    parser.add_argument("--watchers", type=int, default=10_000, metavar="N", help="so many (%(default)s)")
    arguments = parser.parse_args()
    console = Console(stderr=True)
    watchers = min(arguments.watchers, raise_file_limit() - OTHER_FILES)
    measured = [one for processes in (1, 2) for one in cut_off(watchers, processes, console)]
    print_table(measured)
    print(json.dumps(summary(watchers, measured)))
    return 0


def summary(watchers: int, measured: Sequence[Measured]) -> dict[str, object]:
    """The last line: the slowest of all."""
    slowest = {(one.way, one.processes): round(one.back.seconds, 2) for one in measured}
    return {
        "watchers": watchers,
        "seconds": max(slowest.values()),
        "errors": sum(one.errors for one in measured),
        "seconds_by_way": {f"{way}_{processes}p": seconds for (way, processes), seconds in slowest.items()},
    }


def cut_off(watchers: int, processes: int, console: Console) -> list[Measured]:
    """Both ways, of a receiver with so many processes."""
    with tempfile.TemporaryDirectory(prefix="wgfleet-reconnect.") as folder:
        receiver = Receiver(
            Path(folder) / "receiver",
            workers=WORKERS,
            tokens=watchers,
            processes=processes,
            listen_port=free_port(),
        )
        receiver.start()
        try:
            hello = events(receiver.tokens).hello
            with Returning(receiver.address, hello, core=core(ASKERS)) as crowd:
                crowd.reset()
                reset = Measured("reset", processes, crowd.back())
                crowd.watch()
                receiver.running.kill()
                began = time.monotonic()
                receiver.running.start()
                console.print(f"started again in {time.monotonic() - began:.1f} s")
                killed = Measured("killed", processes, crowd.back())
        finally:
            receiver.running.kill()
    for one in (reset, killed):
        console.print(f"{one.way}, {processes} processes: {one.back.seconds:.1f} s, {one.errors} refused")
    return [reset, killed]


def print_table(measured: Sequence[Measured]) -> None:
    """For people."""
    table = Printed(box=None, header_style="bold")
    for column in ("cut off", "processes", "half", "all", "tries", "refused"):
        table.add_column(column, justify="left" if column == "cut off" else "right")
    for one in measured:
        back = one.back
        table.add_row(one.way, f"{one.processes}", f"{back.half:.2f}", f"{back.seconds:.2f}", f"{back.tries}",
                      f"{one.errors}")  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
