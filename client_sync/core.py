"""Which worker carries the traffic. Everything that decides it lives in this file.

    a document arrives ──▶ who would be best? ──the present one──▶ nothing moves
                                │ another
                                ▼
                        probe it through its tunnel ──no answer──▶ make its session anew; the next best
                                │ answer
                                ▼
                        one `wg set` gives it the routed prefixes

A client never leaves a path that works for one that does not answer its own probe, and never takes its last path
away. Standbys are probed all the time, so that one whose session is stale is mended before it is needed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from client_sync.choice import STATE_RANK, Policy, preference
from wgfleet.peerset import PeerSet, PublishedWorker, WorkerState


class Reason(StrEnum):
    """Why the active worker changed: the same word in the log, the status and the ack."""

    FIRST = "first"
    """There was none."""
    PUBLISHED = "published"
    """The peer set prefers another, and that one answers."""
    SILENT = "silent"
    """The own probe found the present one silent."""
    BANNED = "banned"
    """The present one must not be used any more."""
    NOTHING_ANSWERS = "nothing_answers"
    """No worker answers: the one most likely to come back."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the choice depends on. Seconds where nothing else is said."""

    client: str
    policy: Policy = Policy.SPREAD
    standby_interval: float = 5.0
    """Between probes of a standby."""
    doubt_interval: float = 1.0
    """Between probes of a standby while the present worker is in doubt."""
    urgent_interval: float = 0.2
    """Between probes of the present worker in doubt, and of the one that should take over."""
    silent_after: int = 3
    """The present worker is silent after this many misses in a row; a standby after one."""
    answer_lifetime: float = 1.0
    """A move needs an answer no older than this."""
    recreate_interval: float = 2.0
    """Between attempts to make a silent standby's session anew."""


@dataclass(frozen=True, slots=True)
class Liveness:
    """What own probes say of one worker."""

    asked_at: float | None = None
    waiting: bool = False
    answered_at: float | None = None
    misses: int = 0
    """In a row."""
    recreated_at: float | None = None


@dataclass(frozen=True, slots=True)
class State:
    """What the daemon knows."""

    peer_set: PeerSet | None = None
    active: str | None = None
    """The worker that holds the routed prefixes."""
    kept: PublishedWorker | None = None
    """The active worker, if the peer set has it no more: it goes when another has answered."""
    liveness: Mapping[str, Liveness] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Received:
    """A document that is signed, newer, and ours."""

    peer_set: PeerSet


@dataclass(frozen=True, slots=True)
class Held:
    """The device was read: this worker holds the routed prefixes."""

    worker: str | None


@dataclass(frozen=True, slots=True)
class Probed:
    """A probe came back, or did not."""

    worker: str
    asked_at: float
    """As the probe said it."""
    answered: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """A deadline has come."""


Event = Received | Held | Probed | Tick


@dataclass(frozen=True, slots=True)
class Configure:
    """Give the device the peers it should have, with this worker active."""

    active: str | None
    reason: Reason | None
    """Why the active worker changed; None if it did not."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Send one echo through this worker's tunnel, and report."""

    worker: str
    asked_at: float
    """Tells the report on this probe from one on a worker of the same name that was replaced meanwhile."""


@dataclass(frozen=True, slots=True)
class Recreate:
    """Make this standby's session anew: its peer is removed and added again, at its next endpoint."""

    worker: str


Effect = Configure | Probe | Recreate


def step(state: State, event: Event, *, now: float, settings: Settings) -> tuple[State, tuple[Effect, ...]]:
    """Take one event; return the new state and what to do, in order."""
    effects: list[Effect] = []
    match event:
        case Received(peer_set):
            state = _receive(state, peer_set)
            effects.append(Configure(state.active, None))
        case Held(worker):
            state = _held(state, worker)
        case Probed():
            state = _probed(state, event, now)
        case Tick():
            pass
    state, moves = _move(state, now, settings)
    state, probes = _probes(state, now, settings)
    # A move gives the device all that a document changed, too. Before it, the document alone would take away the
    # peer of a removed worker while its prefixes have nobody else yet.
    return state, (*(moves or effects), *probes)


def next_deadline(state: State, *, now: float, settings: Settings) -> float | None:
    """When to send the next Tick, if nothing happens before; now, if it should have been sent already."""
    due = [
        liveness.asked_at + interval
        for name, interval in _schedule(state, settings)
        if not (liveness := _of(state, name)).waiting and liveness.asked_at is not None
    ]
    return max(now, min(due)) if due else None


def workers(state: State) -> dict[str, PublishedWorker]:
    """All workers that the device should have, by name; banned ones too, so that they can be barred."""
    listed = {} if state.peer_set is None else {worker.name: worker for worker in state.peer_set.workers}
    return listed if state.kept is None else {**listed, state.kept.name: state.kept}


def _receive(state: State, peer_set: PeerSet) -> State:
    before = workers(state)
    kept = None
    if state.active is not None and peer_set.worker(state.active) is None:
        # Removed: its path still works, perhaps. It is left like a drained one, and not before another answers.
        kept = replace(before[state.active], state=WorkerState.DRAINING, reason="removed")
    received = replace(state, peer_set=peer_set, kept=kept)
    there = workers(received)
    same = {
        name: liveness
        for name, liveness in state.liveness.items()
        # A worker with a new key or endpoint is another one: what was learnt of the old one says nothing.
        if name in there and name in before and _path(there[name]) == _path(before[name])
    }
    return replace(received, liveness=same)


def _held(state: State, worker: str | None) -> State:
    active = worker if worker in workers(state) else None
    # A removed worker that carries nothing is kept no longer.
    return replace(
        state, active=active, kept=state.kept if state.kept and state.kept.name == active else None
    )


def _path(worker: PublishedWorker) -> tuple[object, ...]:
    return worker.public_key, worker.endpoints, worker.tunnel_addresses


def _probed(state: State, probed: Probed, now: float) -> State:
    known = _of(state, probed.worker)
    if known.asked_at != probed.asked_at:
        return state  # Of a worker that is gone, or of its former key or endpoint.
    if probed.answered:
        fresh = replace(known, waiting=False, answered_at=now, misses=0)
    else:
        fresh = replace(known, waiting=False, misses=known.misses + 1)
    return _with(state, probed.worker, fresh)


def _of(state: State, name: str) -> Liveness:
    return state.liveness.get(name, Liveness())


def _with(state: State, name: str, liveness: Liveness) -> State:
    return replace(state, liveness={**state.liveness, name: liveness})


# Moving.


def _move(state: State, now: float, settings: Settings) -> tuple[State, list[Effect]]:
    effects: list[Effect] = []
    if _is_banned(state):
        state = replace(state, active=None)
        effects.append(Configure(None, Reason.BANNED))
    best = _best(state, settings)
    if best is None or best == state.active:
        return state, effects
    answered_at = _of(state, best).answered_at
    answers = answered_at is not None and now - answered_at <= settings.answer_lifetime
    # With no path at all there is none to lose: a silent one is better than nothing, once nothing else is left.
    if not (answers or (state.active is None and _is_silent(state, best, settings))):
        return state, effects
    reason = _reason(state, settings, answers=answers)
    state = replace(state, active=best, kept=None)
    return state, [*effects, Configure(best, reason)]


def _is_banned(state: State) -> bool:
    return state.active is not None and workers(state)[state.active].state is WorkerState.BANNED


def _reason(state: State, settings: Settings, *, answers: bool) -> Reason:
    if not answers:
        return Reason.NOTHING_ANSWERS
    if state.active is None:
        return Reason.FIRST
    return Reason.SILENT if _is_silent(state, state.active, settings) else Reason.PUBLISHED


def _best(state: State, settings: Settings) -> str | None:
    candidates = [worker for worker in workers(state).values() if worker.state is not WorkerState.BANNED]

    def order(worker: PublishedWorker) -> tuple[object, ...]:
        return (
            _is_silent(state, worker.name, settings),
            STATE_RANK[worker.state],
            worker.name != state.active,  # The present one wins ties: a change of weight moves nobody.
            worker.state is WorkerState.SUSPECT,
            *preference(settings.policy, settings.client, worker),
        )

    return min(candidates, key=order).name if candidates else None


def _is_silent(state: State, name: str, settings: Settings) -> bool:
    return _of(state, name).misses >= (settings.silent_after if name == state.active else 1)


# Probing.


def _probes(state: State, now: float, settings: Settings) -> tuple[State, list[Effect]]:
    effects: list[Effect] = []
    for name, interval in _schedule(state, settings):
        liveness = _of(state, name)
        if liveness.waiting or (liveness.asked_at is not None and now < liveness.asked_at + interval):
            continue
        if _is_stale(liveness, now, settings) and name != state.active:
            effects.append(Recreate(name))
            liveness = replace(liveness, recreated_at=now)
        effects.append(Probe(name, now))
        state = _with(state, name, replace(liveness, asked_at=now, waiting=True))
    return state, effects


def _is_stale(liveness: Liveness, now: float, settings: Settings) -> bool:
    """A silent standby: perhaps it restarted, and knows nothing of the session we still use."""
    since = liveness.recreated_at
    return liveness.misses > 0 and (since is None or now - since >= settings.recreate_interval)


def _schedule(state: State, settings: Settings) -> Iterator[tuple[str, float]]:
    """Which workers are probed at present, and how often."""
    there = workers(state)
    best = _best(state, settings)
    active = there.get(state.active or "")
    doubtful = active is None or active.state is WorkerState.DOWN or _of(state, active.name).misses > 0
    for name, worker in there.items():
        if worker.state is WorkerState.BANNED:
            continue
        if name == state.active:
            # Left to itself while nothing speaks against it; once it has missed, until that is settled.
            if worker.state is WorkerState.SUSPECT or doubtful:
                yield name, settings.urgent_interval
        elif name == best:
            # It should take over: its answer is what the move waits for.
            yield name, settings.urgent_interval
        else:
            yield name, settings.doubt_interval if doubtful else settings.standby_interval
