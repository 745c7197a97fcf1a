"""Which workers should attract traffic by a name or an address that several share. Everything that decides it lives in this file.

Who publishes such a name (DNS) or route (BGP) cannot probe for its clients, so it goes by the published states alone: those that
serve; if none does, those that are suspect. If there is neither, only an operator can have brought that about, or the fleet is
new: then what attracted stays, so that the name never becomes empty, but for workers that are banned or gone.
"""

from collections.abc import Collection
from dataclasses import dataclass

from wgfleet.peerset import PeerSet, PublishedWorker, WorkerState

AS_BEFORE = "none serves, so what was announced stays"


@dataclass(frozen=True, slots=True)
class Attraction:
    """Whether one worker attracts, and why."""

    attracts: bool
    reason: str


def attracting(peer_set: PeerSet, before: Collection[str] = ()) -> tuple[PublishedWorker, ...]:
    """The workers that attract; `before` are the names of those that did until now."""
    for state in (WorkerState.SERVING, WorkerState.SUSPECT):
        best = tuple(worker for worker in peer_set.workers if worker.state is state)
        if best:
            return best
    return tuple(
        worker
        for worker in peer_set.workers
        if worker.name in before and worker.state is not WorkerState.BANNED
    )


def attraction(peer_set: PeerSet, name: str, *, before: bool) -> Attraction:
    """Whether the worker of that name attracts; `before` says whether it did until now."""
    worker = peer_set.worker(name)
    if worker is None:
        return Attraction(False, f"the peer set has no worker {name}")
    chosen = attracting(peer_set, [name] if before else ())
    said = f"{worker.state} ({worker.reason})"
    if worker not in chosen:
        return Attraction(False, said)
    usable = worker.state in {WorkerState.SERVING, WorkerState.SUSPECT}
    return Attraction(True, said if usable else f"{said}; {AS_BEFORE}")
