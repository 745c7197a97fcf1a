"""The state as the document that clients read, and what is new in it. Pure: values in, values out."""

from failover_receiver.state import Decided, Policy, Reason, State, Worker
from wgfleet.peerset import PeerSet, PublishedWorker, WorkerState

SPARED = 4
"""An overloaded worker's weight is divided by this: new clients mostly choose others, and it recovers."""

CHANGED, REMOVED = "changed", "removed"
MONITORED, UNMONITORED = "monitored", "unmonitored"
"""Why a worker is published differently, or no more, where its state is not the reason."""


def peer_set(state: State, policy: Policy) -> PeerSet:
    """The document that the state publishes."""
    return PeerSet(
        fleet=state.fleet,
        epoch=state.epoch,
        generation=state.generation,
        issued_at=state.issued_at,
        fresh_until=state.issued_at + policy.fresh_for,
        monitoring=state.monitoring,
        workers=state.published,
    )


def published_worker(name: str, worker: Worker, state: WorkerState, reason: Reason) -> PublishedWorker:
    """What is published of one worker."""
    spec = worker.spec
    return PublishedWorker(
        name=name,
        public_key=spec.public_key,
        endpoints=spec.endpoints,
        tunnel_addresses=spec.tunnel_addresses,
        allowed_ips=spec.allowed_ips,
        state=state,
        reason=reason,
        keepalive=spec.keepalive,
        mtu=spec.mtu,
        dns=spec.dns,
        weight=max(1, spec.weight // SPARED) if reason is Reason.OVERLOADED else spec.weight,
        priority=spec.priority,
        region=spec.region,
        monitored=worker.monitored,
    )


def decisions(before: tuple[PublishedWorker, ...], after: tuple[PublishedWorker, ...]) -> tuple[Decided, ...]:
    """What changed from one document to the next, worker by worker."""
    was = {worker.name: worker for worker in before}
    now_is = {worker.name: worker for worker in after}
    return tuple(
        Decided(name, old.state if old else None, new.state if new else None, _why(old, new))
        for name in sorted(was.keys() | now_is.keys())
        for old, new in [(was.get(name), now_is.get(name))]
        if old != new
    )


def _why(old: PublishedWorker | None, new: PublishedWorker | None) -> str:
    if new is None:
        return REMOVED
    if old is None or (old.state, old.reason) != (new.state, new.reason):
        return new.reason
    if old.monitored != new.monitored:
        return MONITORED if new.monitored else UNMONITORED
    return CHANGED
