"""What clients and workers say of the documents that they have applied. Pure: values in, values out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from failover_receiver.state import State

ACK_LIFETIME = 150.0
"""Seconds. A client acks every minute: one that has missed two is not counted."""

SEES_MOST = 64
"""Workers that one ack may tell of: as many as a fleet has."""


@dataclass(frozen=True, slots=True)
class Sees:
    """What a worker's tunnel answered to a client's own probes."""

    answers: bool
    rtt_ms: float | None = None
    """Its last round trip, in milliseconds."""


@dataclass(frozen=True, slots=True)
class Ack:
    """What a client or worker said last of what it has applied, and sees."""

    epoch: int
    generation: int
    active: str | None
    received_at: float
    client_list: tuple[int, int] | None = None
    """The number of the client list that it has applied, if it is a worker."""
    sees: Mapping[str, Sees] = field(default_factory=dict)
    """By worker, for operators."""
    draining: Mapping[str, int | None] = field(default_factory=dict)
    """The connections that it still has on each worker that it is leaving; None: it cannot count them."""

    @property
    def document(self) -> tuple[int, int]:
        """The document's number; a later one is greater."""
        return self.epoch, self.generation


@dataclass(frozen=True, slots=True)
class Clients:
    """What the clients that were heard lately say."""

    on: Mapping[str, int]
    """How many use each worker."""
    heard: int
    behind: int
    """How many have not applied the newest document yet."""


def summed_up(acks: Iterable[Ack], state: State, *, now: float) -> Clients:
    """All acks that are not too old, together."""
    lately = [ack for ack in acks if now - ack.received_at <= ACK_LIFETIME]
    on = dict.fromkeys(state.workers, 0)
    for ack in lately:
        if ack.active in on:
            on[ack.active] += 1
    return Clients(on, len(lately), sum(ack.document < (state.epoch, state.generation) for ack in lately))


def propagation(before: Ack | None, ack: Ack, state: State) -> float | None:
    """Seconds that the newest document took to the one that acks it; None if this ack does not tell.

    Of one that was away the time would be its absence, and one that says the same again has said it before.
    """
    followed = before is not None and ack.received_at - before.received_at <= ACK_LIFETIME
    newest = ack.document == (state.epoch, state.generation)
    if before is None or not followed or not newest or before.document >= ack.document:
        return None
    return max(0.0, ack.received_at - state.issued_at)
