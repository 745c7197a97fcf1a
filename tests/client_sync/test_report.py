"""Tests of client_sync/report.py: what people and the receiver are told."""

from client_sync.feed import Way
from client_sync.liveness import Liveness
from client_sync.report import describe, seen
from client_sync.state import Reason, State
from tests.client_sync.samples import peer_set, worker
from wgfleet.peerset import WorkerState

NEVER = {"misses": None, "rtt_ms": None, "loss": 0.0, "answered_seconds_ago": None, "history": ""}
"""Of a worker that was not probed yet."""


def test_before_anything_is_known_the_status_says_so() -> None:
    """Every key is there, so that programs need not ask."""
    assert describe(State(), None, now=0.0) == {
        "receiver": None,
        "heard_by": None,
        "trouble": {},
        "epoch": None,
        "generation": None,
        "monitoring": None,
        "fresh_until": None,
        "active": None,
        "reason": None,
        "draining": {},
        "workers": {},
        "remarks": [],
    }


def test_the_status_says_what_is_applied_and_what_was_probed() -> None:
    """Each worker with what the receiver says of it and what the own probes say."""
    state = State(
        peer_set(worker(1), worker(2, WorkerState.DOWN, reason="worker_down"), worker(3), generation=7),
        active="w1",
        reason=Reason.SILENT,
        liveness={
            "w1": Liveness(answered_at=5.0, round_trip=0.0123, loss=0.05, history=(False, True)),
            "w2": Liveness(misses=4, history=(False,) * 4),
        },
    )

    assert describe(
        state,
        "https://monitoring.example.com",
        Way.POLL,
        {"w2": 3},
        trouble={"https://other.example.com": "it answered 401: no"},
        remarks=["a file lies open"],
        now=7.5,
    ) == {
        "receiver": "https://monitoring.example.com",
        "heard_by": "poll",
        "trouble": {"https://other.example.com": "it answered 401: no"},
        "epoch": 1,
        "generation": 7,
        "monitoring": "live",
        "fresh_until": 4600.0,
        "active": "w1",
        "reason": "silent",
        "draining": {"w2": 3},
        "workers": {
            "w1": {
                "state": "serving",
                "reason": "up",
                "misses": 0,
                "rtt_ms": 12.3,
                "loss": 0.05,
                "answered_seconds_ago": 2.5,
                "history": "x.",
            },
            "w2": {"state": "down", "reason": "worker_down", **NEVER, "misses": 4, "history": "xxxx"},
            "w3": {"state": "serving", "reason": "up", **NEVER},
        },
        "remarks": ["a file lies open"],
    }


def test_a_removed_worker_that_still_carries_the_traffic_is_told() -> None:
    """It is in no document any more, but it is what is used."""
    kept = worker(9, WorkerState.DRAINING, reason="removed")
    status = describe(State(peer_set(worker(1)), active="w9", kept=kept), None, now=0.0)

    assert status["active"] == "w9"
    assert status["workers"] == {
        "w1": {"state": "serving", "reason": "up", **NEVER},
        "w9": {"state": "draining", "reason": "removed", **NEVER},
    }


def test_operators_are_told_what_the_client_sees() -> None:
    """Of workers that were asked: whether they answer, and how quickly. One miss may be chance."""
    state = State(
        peer_set(worker(1), worker(2), worker(3)),
        liveness={
            "w1": Liveness(round_trip=0.0123, misses=1, history=(True, False)),
            "w2": Liveness(misses=2, history=(False, False)),
            "w3": Liveness(asked_at=1.0),
        },
    )

    assert seen(state) == {"w1": {"answers": True, "rtt_ms": 12.3}, "w2": {"answers": False, "rtt_ms": None}}


def test_an_ack_tells_of_no_more_workers_than_the_receiver_takes() -> None:
    """It would refuse the whole of it."""
    many = peer_set(*(worker(number) for number in range(1, 100)))
    state = State(many, liveness={f"w{number}": Liveness(history=(True,)) for number in range(1, 100)})

    assert len(seen(state)) == 64
