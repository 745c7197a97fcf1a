"""Tests of failover_receiver/peersets.py: what of a worker is published."""

from dataclasses import replace

import pytest

from failover_receiver.peersets import decisions, published_worker
from failover_receiver.state import Decided, Reason, Worker
from tests.failover_receiver.story import spec
from wgfleet.peerset import WorkerState


@pytest.mark.parametrize(("weight", "published"), [(100, 25), (5, 1), (1, 1)])
def test_an_overloaded_worker_has_a_quarter_of_its_weight(weight: int, published: int) -> None:
    """And never none, which would be another word for down."""
    worker = Worker(replace(spec(1), weight=weight))

    shown = published_worker("fra1", worker, WorkerState.SERVING, Reason.OVERLOADED)

    assert (shown.weight, shown.state, shown.reason) == (published, WorkerState.SERVING, "overloaded")


def test_any_other_worker_has_the_weight_that_its_operator_gave() -> None:
    """Whatever it is published as."""
    assert published_worker("fra1", Worker(spec(1)), WorkerState.DOWN, Reason.WORKER_DOWN).weight == 100


@pytest.mark.parametrize(("was", "is_now", "why"), [(True, False, "unmonitored"), (False, True, "monitored")])
def test_a_worker_of_which_nothing_is_heard_any_more_is_told_as_such(
    was: bool, is_now: bool, why: str
) -> None:
    """It stays in its state, so that is not the reason."""
    before, after = (
        published_worker("fra1", Worker(spec(1), monitored=one), WorkerState.SERVING, Reason.UP)
        for one in (was, is_now)
    )

    assert decisions((before,), (after,)) == (Decided("fra1", WorkerState.SERVING, WorkerState.SERVING, why),)
