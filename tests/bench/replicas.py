"""Three receivers on one PostgreSQL: what one's death, frost or loneliness costs the others' watchers.

A real PostgreSQL that waits for the disk, three real `wgfleet-receiver`, watchers at each of them, and a change every tenth of a
second, posted to each in turn as a load balancer does. One of the three is hurt in the middle. Measured is the time from a
webhook's 2xx until the last watcher of every living receiver has the document that says what came of it; a receiver
that was hurt has to show it as soon as it is back. Nothing may come out of order, nor one number with two bodies.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table as Printed

from tests.lab.postgres import Postgres
from tests.replicas.gaps import Fault, Gaps, measure
from tests.replicas.three import MANY, QUIET, Three

WATCHERS = 20
"""At each receiver."""
BEFORE, DURING, AFTER = 1.0, 4.0, 2.0
"""Seconds."""
ASKED_SECONDS = 2.0


def main() -> int:
    """Run the bench; return its exit status: 1 if a gap is longer than asked, or anything came out of order."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench replicas", description=__doc__)
    parser.add_argument("--runs", type=int, default=1, help="of each fault (%(default)s)")
    parser.add_argument("--watchers", type=int, default=WATCHERS, help="at each receiver (%(default)s)")
    arguments = parser.parse_args()
    console = Console(stderr=True)
    measured: dict[Fault, list[Gaps]] = {fault: [] for fault in Fault}
    with (
        tempfile.TemporaryDirectory(prefix="wgfleet-replicas.") as folder,
        Postgres(durable=True) as postgres,
        Three(Path(folder), postgres, **QUIET) as three,
    ):
        for run in range(arguments.runs):
            for fault in Fault:
                gaps = measure(
                    three, fault, victim=run % MANY, before=BEFORE, during=DURING, after=AFTER,
                    watchers=arguments.watchers,
                )  # fmt: skip
                measured[fault].append(gaps)
                console.print(f"run {run + 1}, {fault}: {gaps.worst:.3f} s, {len(gaps.answered)} webhooks")
    print_table(measured)
    said = summary(measured, arguments.watchers)
    print(json.dumps(said))
    return 0 if not said["disorder"] and worst(measured) <= ASKED_SECONDS else 1


def worst(measured: Mapping[Fault, Sequence[Gaps]]) -> float:
    """The longest gap of all."""
    return max(gaps.worst for runs in measured.values() for gaps in runs)


def summary(measured: Mapping[Fault, Sequence[Gaps]], watchers: int) -> dict[str, object]:
    """The last line."""
    by_fault = {fault.value: round(max(gaps.worst for gaps in runs), 3) for fault, runs in measured.items()}
    answers = max(gaps.longest_answer for runs in measured.values() for gaps in runs)
    return {
        "replicas": MANY,
        "watchers": MANY * watchers,
        "gap_seconds_max": round(worst(measured), 3),
        "gap_seconds_by_fault": by_fault,
        "answer_seconds_max": round(answers, 3),
        "webhooks": sum(len(gaps.answered) for runs in measured.values() for gaps in runs),
        "disorder": sum(len(gaps.disorder) for runs in measured.values() for gaps in runs),
    }


def print_table(measured: Mapping[Fault, Sequence[Gaps]]) -> None:
    """For people."""
    table = Printed(box=None, header_style="bold")
    for column in ("fault", "webhooks", "gap", "answer", "disorder"):
        table.add_column(column, justify="left" if column == "fault" else "right", no_wrap=True)
    for fault, runs in measured.items():
        table.add_row(
            fault.value,
            f"{sum(len(gaps.answered) for gaps in runs)}",
            f"{max(gaps.worst for gaps in runs):.3f}",
            f"{max(gaps.longest_answer for gaps in runs):.3f}",
            f"{sum(len(gaps.disorder) for gaps in runs)}",
        )
    console = Console()
    console.print(table)
    console.print(
        "Seconds, the worst of each: from a webhook's 2xx until every watcher of a living receiver has the document; and from a "
        f"webhook's first byte until some receiver has taken it, whose sender turns to the next one after a second. Asked: a gap of {ASKED_SECONDS:g} s at most."
    )


if __name__ == "__main__":
    sys.exit(main())
