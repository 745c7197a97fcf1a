"""Random sequences of happenings, by number: the same number is the same sequence, on every machine."""

from collections import Counter
from dataclasses import dataclass
from random import Random

from tests.failover_receiver.happenings import HAPPENINGS, Draw, a_story, begins
from tests.failover_receiver.invariants import BrokenError, Invariant
from tests.failover_receiver.story import Core
from tests.failover_receiver.twins import agree

STEPS = 30
"""Happenings in a sequence; what comes of each in time, as readings and deadlines, is not counted."""


@dataclass(frozen=True)
class Played:
    """What became of one sequence."""

    seed: int
    steps: int
    events: int
    """That the core was given."""
    checked: Counter[Invariant]
    broken: Invariant | None = None
    said: str = ""


def play(seed: int, *, steps: int = STEPS, core: Core | None = None) -> Played:
    """A sequence of so many happenings, and whether twins agree in the end."""
    draw = Draw(Random(seed).randint)  # noqa: S311 - it must be the same again, not unforeseeable.
    story, step = a_story(draw, core), 0
    broken: BrokenError | None = None
    try:
        begins(story, draw)
        for step in range(1, steps + 1):  # noqa: B007 - how far it came is told below.
            draw.one(HAPPENINGS)(story, draw)
        agree(story, draw.number)
    except BrokenError as error:
        broken = error
    return Played(
        seed=seed,
        steps=step,
        events=story.taken,
        checked=story.tally.checked,
        broken=broken.invariant if broken else None,
        said=_said(f"sequence {seed}, step {step}", broken) if broken else "",
    )


def _said(where: str, broken: BrokenError) -> str:
    return "; ".join([f"{where}: {broken}", *getattr(broken, "__notes__", [])])
