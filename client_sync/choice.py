"""Which worker a client would rather use: one ordering, and no ladder of ifs."""

import math
from enum import StrEnum

from wgfleet.peerset import PublishedWorker, WorkerState
from wgfleet.spread import rendezvous_score, uniform

STATE_RANK = {
    WorkerState.SERVING: 0,
    WorkerState.SUSPECT: 0,  # Monitoring is in doubt: the own probe decides, and the present worker stays.
    WorkerState.DRAINING: 1,
    WorkerState.JOINING: 2,
    WorkerState.DOWN: 3,
}
"""Lower is better. A banned worker has no rank: it is never a candidate."""


class Policy(StrEnum):
    """How a client chooses among workers that are equally good."""

    SPREAD = "spread"
    """Weighted rendezvous hashing: a failure moves only the failed worker's clients, and evenly."""
    PRIORITY = "priority"
    """The operator's order."""
    LATENCY = "latency"
    """The shortest way through the tunnel and back."""


Preference = tuple[float, float]


def preference(
    policy: Policy, client: str, worker: PublishedWorker, round_trip: float | None = None
) -> Preference:
    """Order workers by this, the smallest first; `round_trip` in seconds, None while it is not known."""
    spread = -rendezvous_score(client, worker.name, worker.weight)
    match policy:
        case Policy.SPREAD:
            return 0.0, spread
        case Policy.PRIORITY:
            return float(worker.priority), spread
        case Policy.LATENCY:
            return math.inf if round_trip is None else round_trip, spread


def rather(policy: Policy, present: Preference, other: Preference, margin: float) -> bool:
    """Whether the policy itself would leave a present worker that is well for another, and not stay out of inertia.

    By spread never, or a change of weight would move clients; by priority for one that the operator put before it; by
    latency for one that is quicker by the margin, in seconds, and by a fifth, so that noise moves nobody.
    """
    match policy:
        case Policy.SPREAD:
            return False
        case Policy.PRIORITY:
            return other[0] < present[0]
        case Policy.LATENCY:
            return other[0] < min(present[0] - margin, 0.8 * present[0])


def failback_jitter(client: str, worker: str) -> float:
    """From 0 to 1, even over clients: when each of them goes back."""
    return uniform(f"failback\0{client}\0{worker}")
