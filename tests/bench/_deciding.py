"""The same by the daemon's whole core: a client starts, the first worker is published as down, and is well again.

A thousand times as much work as the order alone, so it is asked of a few clients; what it says must be what the order says.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from client_sync.core import step
from client_sync.liveness import Liveness
from client_sync.state import Received, Settings, State, Tick
from client_sync.wishing import granted_at
from wgfleet.peerset import Monitoring, PeerSet, PublishedWorker, WorkerState


@dataclass(frozen=True, slots=True)
class Decided:
    """Names of the worker in use."""

    first: str | None
    during: str | None
    """While one is down."""
    after: str | None
    """When the core had time to go back."""


def decide(client: str, workers: Sequence[PublishedWorker], failed: int, settings: Settings) -> Decided:
    """Where the client's daemon is, where it goes and whether it comes back; every worker that serves answers its probes."""
    own = replace(settings, client=client)
    down = [
        replace(one, state=WorkerState.DOWN) if number == failed else one
        for number, one in enumerate(workers)
    ]
    state, _ = step(
        State(_published(workers, 1), liveness=_well(workers, 0.0)), Tick(), now=0.0, settings=own
    )
    first = state.active
    state, _ = step(state, Received(_published(down, 2)), now=0.0, settings=own)
    during = state.active
    state, _ = step(state, Received(_published(workers, 3)), now=0.0, settings=own)
    if state.wish is not None:
        at = granted_at(state.wish, own)
        state, _ = step(replace(state, liveness=_well(workers, at)), Tick(), now=at, settings=own)
    return Decided(first, during, state.active)


def _published(workers: Sequence[PublishedWorker], generation: int) -> PeerSet:
    return PeerSet("bench", 1, generation, 0.0, 0.0, Monitoring.LIVE, tuple(workers))


def _well(workers: Sequence[PublishedWorker], now: float) -> dict[str, Liveness]:
    return {one.name: Liveness(asked_at=now, answered_at=now, answered_ask=now) for one in workers}
