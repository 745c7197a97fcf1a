"""Which worker a client would rather use: one ordering, and no ladder of ifs."""

import hashlib
import math
from enum import StrEnum

from wgfleet.peerset import PublishedWorker, WorkerState

STATE_RANK = {
    WorkerState.SERVING: 0,
    WorkerState.SUSPECT: 0,  # Monitoring is in doubt: the own probe decides, and the present worker stays.
    WorkerState.DRAINING: 1,
    WorkerState.JOINING: 2,
    WorkerState.DOWN: 3,
}
"""Lower is better. A banned worker has no rank: it is never a candidate."""

HASH_SPACE = 2**64


class Policy(StrEnum):
    """How a client chooses among workers that are equally good."""

    SPREAD = "spread"
    """Weighted rendezvous hashing: a failure moves only the failed worker's clients, and evenly."""
    PRIORITY = "priority"
    """The operator's order."""


def preference(policy: Policy, client: str, worker: PublishedWorker) -> tuple[float, float]:
    """Order workers by this, the smallest first."""
    spread = -rendezvous_score(client, worker.name, worker.weight)
    return (float(worker.priority), spread) if policy is Policy.PRIORITY else (0.0, spread)


def rendezvous_score(client: str, worker: str, weight: int) -> float:
    """The weighted rendezvous score of the pair; the highest wins.

    -weight / ln(h) with h uniform in (0, 1): each worker wins in proportion to its weight, and removing one
    leaves all other scores as they are. Source: Schindelhauer and Schomaker, "Weighted distributed hash tables".
    """
    digest = hashlib.sha256(f"{client}\0{worker}".encode()).digest()
    uniform = (int.from_bytes(digest[:8], "big") + 0.5) / HASH_SPACE
    return -weight / math.log(uniform)
