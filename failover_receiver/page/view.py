"""What the page shows, as values. Pure: the same of everything that is known gives the same page."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from failover_receiver.acks import ACK_LIFETIME, Ack, summed_up
from failover_receiver.core import frozen_by, unmonitored
from failover_receiver.page import words
from failover_receiver.state import Policy, State
from failover_receiver.store import HistoryEvent
from wgfleet.peerset import PublishedWorker

BEHIND_SHOWN = 50
"""Names of those who are behind. During a push it is everybody for a moment, and nobody reads ten thousand names."""

HISTORY_SHOWN = 50
"""Newest events; `wgfleet events` has all."""

Number = tuple[int, int]
"""Epoch and generation of a document."""


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """One worker."""

    name: str
    state: str
    shape: str
    reason: str
    reason_in_words: str
    since: float | None
    monitored: bool
    load: float | None
    """Of all that it can carry; None where it is not known."""
    clients: int

    @property
    def said(self) -> str:
        """The sentence that is read out when it changes."""
        return f"{self.name} is {self.state}: {self.reason_in_words}."


@dataclass(frozen=True, slots=True)
class BehindRow:
    """One who has not applied the newest document."""

    name: str
    document: str
    has: str
    how_far: str
    heard_at: float


@dataclass(frozen=True, slots=True)
class View:
    """The whole page but who reads it."""

    fleet: str
    epoch: int
    generation: int
    issued_at: float
    live: bool
    blind_because: str | None
    workers: tuple[WorkerRow, ...]
    usable: int
    clients_heard: int
    behind: tuple[BehindRow, ...]
    behind_unnamed: int
    history: tuple[HistoryEvent, ...]
    """Newest first."""
    now: float

    @property
    def headline(self) -> str:
        """The page in one line."""
        there = len(self.workers)
        if not there:
            return "No worker is registered yet"
        return f"{self.usable} of {there} workers usable"

    @property
    def monitoring_said(self) -> str:
        """The sentence that is read out when monitoring changes."""
        if self.live:
            return "Monitoring is live."
        because = f": {self.blind_because}" if self.blind_because else ""
        return (
            f"Monitoring is blind{because}. Alerts move nobody until it is back; "
            "clients still leave a dead worker by themselves."
        )

    def same_as(self, other: "View | None") -> bool:
        """Whether it shows the same, but for the time that has passed."""
        return other is not None and replace(self, now=0.0) == replace(other, now=0.0)


@dataclass(frozen=True, slots=True)
class Known:
    """All that the page is made of."""

    state: State
    policy: Policy
    acks: Mapping[str, Ack]
    worker_acks: Mapping[str, Ack]
    client_list: Number | None
    """The number of the newest client list."""
    loads: Mapping[str, float]
    """By worker, where it is known: 1.0 is all that it can carry."""
    history: Sequence[HistoryEvent]
    doubt: str | None = None
    """Why all of it may be old; None: it is not."""


def view(known: Known, *, now: float) -> View:
    """The page of this moment."""
    state = known.state
    clients = summed_up(known.acks.values(), state, now=now)
    silent = unmonitored(state, now, known.policy)
    behind = list(_behind(known, now))
    return View(
        fleet=state.fleet,
        epoch=state.epoch,
        generation=state.generation,
        issued_at=state.issued_at,
        live=state.monitoring == "live" and known.doubt is None,
        blind_because=known.doubt or frozen_by(state, now, known.policy),
        workers=tuple(
            _row(said, known, silent=said.name in silent, clients=clients.on.get(said.name, 0))
            for said in state.published
        ),
        usable=sum(said.state in {"serving", "suspect"} for said in state.published),
        clients_heard=clients.heard,
        # Farthest first. Only who is shown is made a row of: in a push all are behind.
        behind=tuple(_late(*one) for one in heapq.nsmallest(BEHIND_SHOWN, behind)),
        behind_unnamed=max(0, len(behind) - BEHIND_SHOWN),
        history=tuple(reversed(known.history[-HISTORY_SHOWN:])),
        now=now,
    )


def _row(said: PublishedWorker, known: Known, *, silent: bool, clients: int) -> WorkerRow:
    load = known.loads.get(said.name)
    return WorkerRow(
        name=said.name,
        state=said.state,
        shape=words.shape(said.state),
        reason=said.reason,
        reason_in_words=words.reason(said.reason),
        since=known.state.since.get(said.name),
        monitored=not silent,
        load=None if load is None else round(load, 2),  # More would be drawn anew each second.
        clients=clients,
    )


def _behind(known: Known, now: float) -> Iterator[tuple[str, Number, str, Number, float]]:
    """Of which document, what it has, its name, the newest, and when it was heard."""
    newest = (known.state.epoch, known.state.generation)
    for name, ack in known.acks.items():
        if ack.document < newest and now - ack.received_at <= ACK_LIFETIME:
            yield "peer set", ack.document, name, newest, ack.received_at
    for name, ack in known.worker_acks.items() if known.client_list is not None else ():
        has, newest = ack.client_list or (0, 0), known.client_list or (0, 0)
        if has < newest and now - ack.received_at <= ACK_LIFETIME:
            yield "client list", has, name, newest, ack.received_at


def _late(document: str, has: Number, name: str, newest: Number, heard_at: float) -> BehindRow:
    number = f"{has[0]}.{has[1]}" if has != (0, 0) else "none"
    return BehindRow(name, document, number, _how_far(has, newest), heard_at)


def _how_far(has: Number, newest: Number) -> str:
    if has == (0, 0):
        return "has none yet"
    if has[0] != newest[0]:
        return "of an earlier epoch"
    behind = newest[1] - has[1]
    return "1 generation" if behind == 1 else f"{behind} generations"
