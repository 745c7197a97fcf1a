"""Back to where the client belongs, though nothing is wrong with where it is: failback, without haste.

Pure, as core.py, which asks it. A wish must hold for a while, and each client waits for another while, so that a worker
that is back is not overrun, and one that flaps is not returned to.
"""

from dataclasses import replace

from client_sync.choice import failback_jitter, preference, rather
from client_sync.state import Settings, State, Wish, liveness_of, workers
from wgfleet.peerset import WorkerState


def wishing(state: State, now: float, settings: Settings) -> State:
    wished = _wished(state, now, settings)
    if wished is None:
        return state if state.wish is None else replace(state, wish=None)
    if state.wish is not None and state.wish.worker == wished:
        return state
    return replace(state, wish=Wish(wished, now))


def _wished(state: State, now: float, settings: Settings) -> str | None:
    there = workers(state)
    active = there.get(state.active or "")
    if active is None or active.state is not WorkerState.SERVING:
        return None
    present = preference(settings.policy, settings.client, active, liveness_of(state, active.name).round_trip)
    candidates = [
        (wanted, name)
        for name, worker in there.items()
        if name != active.name
        and worker.state is WorkerState.SERVING
        and _is_well(state, name, now, settings)
        for wanted in [
            preference(settings.policy, settings.client, worker, liveness_of(state, name).round_trip)
        ]
        if wanted < present
        and (name == state.home or rather(settings.policy, present, wanted, settings.latency_margin))
    ]
    return min(candidates)[1] if candidates else None


def _is_well(state: State, name: str, now: float, settings: Settings) -> bool:
    known = liveness_of(state, name)
    return (
        not known.misses
        and known.answered_at is not None
        and now - known.answered_at <= 2 * settings.standby_interval
    )


def granted_at(wish: Wish, settings: Settings) -> float:
    return (
        wish.since
        + settings.failback_after
        + settings.failback_spread * failback_jitter(settings.client, wish.worker)
    )


def granted(state: State, now: float, settings: Settings) -> str | None:
    """The worker that was wished for for long enough."""
    return state.wish.worker if state.wish is not None and now >= granted_at(state.wish, settings) else None
