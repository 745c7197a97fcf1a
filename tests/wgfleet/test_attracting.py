"""Tests of wgfleet/attracting.py: who attracts by a name or address that several share."""

import pytest

from tests.client_sync.samples import peer_set, worker
from wgfleet.attracting import attracting, attraction
from wgfleet.peerset import WorkerState

SERVING, SUSPECT, JOINING, DRAINING, DOWN, BANNED = (
    WorkerState.SERVING,
    WorkerState.SUSPECT,
    WorkerState.JOINING,
    WorkerState.DRAINING,
    WorkerState.DOWN,
    WorkerState.BANNED,
)


@pytest.mark.parametrize(
    ("states", "before", "chosen"),
    [
        ((SERVING, SERVING, DOWN), ("w3",), ["w1", "w2"]),
        ((SERVING, SUSPECT, JOINING), ("w2",), ["w1"]),
        ((DOWN, SUSPECT, SUSPECT), ("w1",), ["w2", "w3"]),
        ((DRAINING, DOWN, JOINING), ("w1", "w2"), ["w1", "w2"]),
        ((BANNED, DRAINING, JOINING), ("w1", "w2"), ["w2"]),
        ((BANNED, BANNED, BANNED), ("w1",), []),
        ((JOINING, JOINING, JOINING), (), []),
    ],
)
def test_those_that_serve_attract_then_the_suspect_then_those_that_did(
    states: tuple[WorkerState, ...], before: tuple[str, ...], chosen: list[str]
) -> None:
    """A banned one never does."""
    workers = (worker(number, state) for number, state in enumerate(states, 1))

    assert [one.name for one in attracting(peer_set(*workers), before)] == chosen


@pytest.mark.parametrize(
    ("states", "before", "said"),
    [
        ((SERVING, DOWN), False, (True, "serving (up)")),
        ((DRAINING, SERVING), True, (False, "draining (up)")),
        ((DRAINING, DOWN), True, (True, "draining (up); none serves, so what was announced stays")),
        ((DRAINING, DOWN), False, (False, "draining (up)")),
        ((BANNED, DOWN), True, (False, "banned (up)")),
    ],
)
def test_of_one_worker_it_is_said_why(
    states: tuple[WorkerState, ...], before: bool, said: tuple[bool, str]
) -> None:
    """By the same rule."""
    workers = (worker(number, state) for number, state in enumerate(states, 1))
    told = attraction(peer_set(*workers), "w1", before=before)

    assert (told.attracts, told.reason) == said


def test_a_worker_that_is_gone_does_not_attract() -> None:
    """Whatever it did before."""
    told = attraction(peer_set(worker(1)), "w9", before=True)

    assert (told.attracts, told.reason) == (False, "the peer set has no worker w9")
