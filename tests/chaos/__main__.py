"""`make chaos`: what is there after a receiver was killed at random moments, under load, two hundred times.

`python -m tests.chaos kills --count 200 --seed 1`. Progress, a table for people, then a line of JSON. Exit status 1:
something that was answered for is gone, or a number went back.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos.kills import Outcome, kills


def main() -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("what", choices=["kills"], help="SIGKILL, at random moments")
    parser.add_argument("--count", type=int, default=200, help="so many times (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (default: %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos.") as folder:
        outcome = asyncio.run(
            kills(Path(folder) / "receiver", arguments.count, seed=arguments.seed, told=_progress)
        )
    _show(outcome)
    return 1 if outcome.lost or outcome.rolled_back else 0


def _progress(outcome: Outcome) -> None:
    if outcome.kills % 10 == 0:
        print(f"{outcome.kills} kills, {outcome.answered} answers, {len(outcome.lost)} lost, "
              f"{len(outcome.rolled_back)} rolled back", flush=True)  # fmt: skip


def _show(outcome: Outcome) -> None:
    for what in [*outcome.lost, *outcome.rolled_back][:20]:
        print(what)
    table = Table("kills", "answered 2xx", "documents watched", "lost", "rolled back", "seconds")
    table.add_row(
        *(str(outcome.kills), f"{outcome.answered:,}", f"{outcome.documents:,}", str(len(outcome.lost))),
        *(str(len(outcome.rolled_back)), f"{outcome.seconds:.0f}"),
    )
    Console(width=100).print(table)
    print(json.dumps({
        "kills": outcome.kills, "answered": outcome.answered, "lost": len(outcome.lost),
        "rolled_back": len(outcome.rolled_back),
    }))  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
