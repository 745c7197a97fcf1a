"""What the daemon tells of itself: to people on this machine, and to the receiver. Pure."""

from collections.abc import Mapping, Sequence

from client_sync.feed import Way
from client_sync.liveness import Liveness
from client_sync.state import State, liveness_of, workers

STATUS = "status.json"
"""In the state directory: what `wgfleet-sync status` shows."""
SEES_MOST = 64
"""Workers that an ack tells of: more, the receiver does not take."""


def describe(
    state: State,
    receiver: str | None,
    way: Way | None = None,
    draining: Mapping[str, int | None] | None = None,
    *,
    trouble: Mapping[str, str] | None = None,
    remarks: Sequence[str] = (),
    now: float,
) -> dict[str, object]:
    """What `wgfleet-sync status` shows.

    Args:
        state: the core's.
        receiver: the one that is followed, and
        way: how.
        draining: how many connections each worker that is being left still carries.
        trouble: why receivers are not followed, by URL.
        remarks: what people should know though nothing is wrong.
        now: of the clock that the state's times are of.

    """
    peer_set = state.peer_set
    return {
        "receiver": receiver,
        "heard_by": way,
        "trouble": dict(trouble or {}),
        "epoch": peer_set.epoch if peer_set else None,
        "generation": peer_set.generation if peer_set else None,
        "monitoring": peer_set.monitoring if peer_set else None,
        "fresh_until": peer_set.fresh_until if peer_set else None,
        "active": state.active,
        "reason": state.reason,
        "draining": dict(draining or {}),
        "workers": {
            name: {
                "state": worker.state,
                "reason": worker.reason,
                **_probes(liveness_of(state, name), now),
            }
            for name, worker in workers(state).items()
        },
        "remarks": list(remarks),
    }


def _probes(known: Liveness, now: float) -> dict[str, object]:
    answered = known.answered_at
    return {
        "misses": known.misses if known.history else None,
        "rtt_ms": None if known.round_trip is None else round(1000 * known.round_trip, 3),
        "loss": round(known.loss, 3),
        "answered_seconds_ago": None if answered is None else round(now - answered, 1),
        "history": "".join("." if hit else "x" for hit in known.history),
    }


def seen(state: State) -> dict[str, dict[str, object]]:
    """What the own probes say of each worker, for operators."""
    asked = [(name, one) for name in workers(state) if (one := liveness_of(state, name)).history]
    return {
        name: {
            "answers": not one.is_silent,
            "rtt_ms": None if one.round_trip is None else round(1000 * one.round_trip, 3),
        }
        for name, one in asked[:SEES_MOST]
    }
