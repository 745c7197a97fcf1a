"""Random sequences of alerts, commands, restarts and clock steps on the receiver's core: does what must hold, hold?

The same happenings and checks as in `make test`, by number, so that one that breaks can be played again:
`python -m tests.bench sequences --first 1234 --count 1`. Then each planted fault is looked for by the same sequences.
The last line is JSON. Exit status 1: something is broken, or a fault was not found.
"""

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial

from tests.failover_receiver.faults.planted import FAULTS
from tests.failover_receiver.faults.planting import Fault, found
from tests.failover_receiver.invariants import Invariant
from tests.failover_receiver.sequences import STEPS, Played, play

AT_A_TIME = 20
"""Sequences that a process takes from the queue together."""
TOLD_EVERY = 10.0
"""Seconds between two lines of progress."""
FAULT_SEQUENCES = 200
"""By as many a fault must be found."""


def main() -> int:
    """Run the bench; return its exit status."""
    arguments = _arguments()
    seeds = range(arguments.first, arguments.first + arguments.count)
    print(
        f"sequences {seeds.start} to {seeds.stop - 1}, {arguments.steps} steps each, {os.cpu_count()} processes"
    )
    with multiprocessing.Pool() as pool:
        one = partial(play, steps=arguments.steps)
        played = list(_told(pool.imap_unordered(one, seeds, chunksize=AT_A_TIME), len(seeds)))
        looked_for = list(zip(FAULTS, pool.imap(_found_at, FAULTS), strict=True))
    print(_table(played))
    print(_faults_table(looked_for))
    for one_broken in sorted((one for one in played if one.broken), key=lambda one: one.seed):
        print(one_broken.said)
    said = summary(played, looked_for)
    print(json.dumps(said))
    return 1 if said["violations"] or said["faults_found"] < said["faults_planted"] else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench sequences", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="sequences")
    parser.add_argument("--steps", type=int, default=STEPS, help="happenings in each")
    parser.add_argument("--first", type=int, default=0, help="number of the first: its seed")
    return parser.parse_args()


def summary(played: Iterable[Played], looked_for: Iterable[tuple[Fault, int | None]]) -> dict[str, int]:
    """The last line."""
    steps = [one.steps for one in played]
    found_at = [seed for _, seed in looked_for]
    return {
        "sequences": len(steps),
        "steps": sum(steps),
        "steps_min": min(steps, default=0),
        "violations": sum(1 for one in played if one.broken),
        "faults_planted": len(found_at),
        "faults_found": sum(1 for seed in found_at if seed is not None),
    }


def _found_at(fault: Fault) -> int | None:
    one = found(fault, FAULT_SEQUENCES)
    return None if one is None else one.seed


def _told(played: Iterable[Played], count: int) -> Iterator[Played]:
    """Say how far it is, on the way."""
    began = last = time.monotonic()
    for number, one in enumerate(played, start=1):
        yield one
        now = time.monotonic()
        if now - last >= TOLD_EVERY or number == count:
            last = now
            print(f"  {number:>6} of {count} after {now - began:.0f} s", file=sys.stderr, flush=True)


def _table(played: list[Played]) -> str:
    checked: Counter[Invariant] = Counter()
    for one in played:
        checked.update(one.checked)
    broken = Counter(one.broken for one in played if one.broken)
    steps, events = sum(one.steps for one in played), sum(one.events for one in played)
    return "\n".join(
        [
            f"\n{len(played)} sequences, {steps} steps, {events} events",
            f"{'what must hold':74} {'checked':>10} {'violated':>9}",
            *(f"{invariant:74} {checked[invariant]:>10} {broken[invariant]:>9}" for invariant in Invariant),
        ]
    )


def _faults_table(looked_for: list[tuple[Fault, int | None]]) -> str:
    lines = [f"\n{'planted fault':74} {'found by sequence':>20}"]
    for fault, seed in looked_for:
        lines.append(f"{fault.name:74} {'none' if seed is None else seed:>20}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
