"""When a worker that is being left may let go of the connections that it still carries. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from wgfleet.peerset import PublishedWorker, WorkerState

SILENT_AFTER = 3
"""Probes in a row that a worker did not answer: connections that hang on it are better broken, and begun anew."""


class Ended(StrEnum):
    """Why no connection is kept on a worker any more: the word in the log."""

    EMPTY = "empty"
    """None was left."""
    DEADLINE = "deadline"
    """It had its time."""
    SILENT = "silent"
    """It does not answer."""
    DOWN = "down"
    """Published: it carries nothing, though it may answer."""
    BANNED = "banned"
    """It must not be used."""
    GONE = "gone"
    """Its interface is."""
    RETURNED = "returned"
    """It carries all traffic again."""


@dataclass(frozen=True, slots=True)
class Drain:
    """A worker that is being left."""

    since: float
    """Of the clock that `now` is of."""
    flows: int | None = None
    """Connections that it still carries, as last counted; None if never."""


def ended(
    drain: Drain, worker: PublishedWorker | None, *, there: bool, misses: int, now: float, deadline: float
) -> Ended | None:
    """Why the drain is over; None: it goes on.

    Args:
        drain: what is known of it.
        worker: as it is published; None if it was removed, which is no reason: it is left as one that drains.
        there: its interface is.
        misses: probes in a row that it did not answer.
        now: the time.
        deadline: seconds that a drain may take.

    """
    state = None if worker is None else worker.state
    reasons = {
        Ended.BANNED: state is WorkerState.BANNED,
        Ended.GONE: not there,
        Ended.DOWN: state is WorkerState.DOWN,
        Ended.SILENT: misses >= SILENT_AFTER,
        Ended.EMPTY: drain.flows == 0,
        Ended.DEADLINE: now >= drain.since + deadline,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)
