"""Tests of client_sync/perworker/draining.py: when a drain is over, and for which reason."""

import pytest

from client_sync.perworker.draining import SILENT_AFTER, Drain, Ended, ended
from tests.client_sync.samples import worker
from wgfleet.peerset import PublishedWorker, WorkerState

W1 = worker(1, WorkerState.DRAINING)
DEADLINE = 3600.0


def over(
    drain: Drain,
    published: PublishedWorker | None = W1,
    *,
    there: bool = True,
    misses: int = 0,
    now: float = 50.0,
) -> Ended | None:
    """Begun at 10, unless said otherwise."""
    return ended(drain, published, there=there, misses=misses, now=now, deadline=DEADLINE)


@pytest.mark.parametrize("flows", [None, 1, 1000])
def test_while_there_are_connections_or_nobody_has_counted_it_goes_on(flows: int | None) -> None:
    """Also a miss or two: a packet may be lost."""
    assert over(Drain(10.0, flows), misses=SILENT_AFTER - 1) is None


@pytest.mark.parametrize(
    "state", [state for state in WorkerState if state not in {WorkerState.DOWN, WorkerState.BANNED}]
)
def test_whatever_else_is_published_it_goes_on(state: WorkerState) -> None:
    """The operator may end the drain: what is connected still need not move."""
    assert over(Drain(10.0, 1), worker(1, state)) is None


def test_a_worker_that_was_removed_is_left_as_one_that_drains() -> None:
    """Removing is no accusation; banning is."""
    assert over(Drain(10.0, 1), None) is None


@pytest.mark.parametrize(
    ("reason", "found"),
    [
        (Ended.EMPTY, over(Drain(10.0, 0))),
        (Ended.DEADLINE, over(Drain(10.0, 1), now=10.0 + DEADLINE)),
        (Ended.SILENT, over(Drain(10.0, 1), misses=SILENT_AFTER)),
        (Ended.DOWN, over(Drain(10.0, 1), worker(1, WorkerState.DOWN))),
        (Ended.BANNED, over(Drain(10.0, 1), worker(1, WorkerState.BANNED))),
        (Ended.GONE, over(Drain(10.0, 1), there=False)),
    ],
)
def test_it_is_over_for_a_reason(reason: Ended, found: Ended | None) -> None:
    """The word in the log."""
    assert found is reason


def test_the_deadline_is_not_before_its_second() -> None:
    """From when it began."""
    assert over(Drain(10.0, 1), now=9.9 + DEADLINE) is None


def test_of_several_reasons_the_gravest_is_said() -> None:
    """A banned worker that is empty was left because it is banned."""
    assert (
        over(Drain(10.0, 0), worker(1, WorkerState.BANNED), there=False, misses=9, now=9999.0) is Ended.BANNED
    )
