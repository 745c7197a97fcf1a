"""Which worker carries the traffic. Everything that decides it lives in this file.

    a document arrives     ┐
    the present one is     ├─▶ who would be best? ──the present one──▶ nothing moves
    silent, or not the     │        │ another
    one that is wished for ┘        ▼
                            probe it through its tunnel ──no answer──▶ the next best; its session is made anew
                                    │ answer
                                    ▼
                            one change gives it the routed prefixes

The present worker is asked once a second. When an answer is overdue, or traffic goes out and none comes in, it is asked
in quick succession, and so are the standbys: if it stays silent (liveness.py), one that has answered meanwhile takes over.
A client never leaves a path that works for one that does not answer its own probe, and never takes its last path
away. Standbys are probed all the time, so that one whose session is stale is mended before it is needed.
"""

from collections.abc import Iterator
from dataclasses import replace

from client_sync.choice import STATE_RANK, preference
from client_sync.endpoints import may_be_elsewhere
from client_sync.liveness import Liveness, answer, ask, judge, misses_beyond_chance
from client_sync.state import (
    Answered,
    Configure,
    Counted,
    Effect,
    Event,
    Held,
    Probe,
    Reason,
    Received,
    Recreate,
    Redirect,
    Settings,
    State,
    Tick,
    liveness_of,
    with_liveness,
    workers,
)
from client_sync.wishing import granted, granted_at, wishing
from wgfleet.peerset import PeerSet, PublishedWorker, WorkerState

STALE_BY_CHANCE = 0.01
"""A standby's session is made anew for nothing no more often than this: it costs a handshake."""

GONE = (WorkerState.DOWN, WorkerState.BANNED)


def step(state: State, event: Event, *, now: float, settings: Settings) -> tuple[State, tuple[Effect, ...]]:
    """Take one event; return the new state and what to do, in order."""
    effects: list[Effect] = []
    match event:
        case Received(peer_set):
            state = _receive(state, peer_set)
            effects.append(Configure(state.active, None))
        case Held(worker):
            state = _held(state, None if settings.is_vantage else worker)
        case Answered():
            state = _answered(state, event, now)
        case Counted():
            state = _counted(state, event, now)
        case Tick():
            pass
    state = _judged(state, now)  # An answer that came too late is better than a miss.
    moves: list[Effect] = []
    if not settings.is_vantage:
        state, moves = _move(wishing(state, now, settings), now, settings)
    state, probes = _probes(state, now, settings)
    # A move gives the device all that a document changed, too. Before it, the document alone would take away the
    # peer of a removed worker while its prefixes have nobody else yet.
    return state, (*(moves or effects), *probes)


def next_deadline(state: State, *, now: float, settings: Settings) -> float | None:
    """When to send the next Tick, if nothing happens before; now, if it should have been sent already."""
    due = [
        asked_at + interval
        for name, interval in _schedule(state, now, settings)
        if (asked_at := liveness_of(state, name).asked_at) is not None
    ]
    for one in state.liveness.values():
        due += [at + one.patience for at in one.open]
        overdue_at = one.overdue_at()
        due += [overdue_at] if overdue_at is not None and overdue_at > now else []
    if state.wish is not None:
        grants = granted_at(state.wish, settings)
        due += [grants] if grants > now else []
    return max(now, min(due)) if due else None


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


def _judged(state: State, now: float) -> State:
    judged = {name: judge(one, now) for name, one in state.liveness.items()}
    if all(judged[name] is one for name, one in state.liveness.items()):
        return state
    return replace(state, liveness=judged)


def _answered(state: State, answered: Answered, now: float) -> State:
    known = liveness_of(state, answered.worker)
    fresh = answer(known, answered.asked_at, now)
    if fresh is known:
        return state  # Of a worker that is gone, or of its former key or endpoint; or much too late.
    if (
        answered.worker == state.active
        and state.doubted_at is not None
        and answered.asked_at >= state.doubted_at
    ):
        state = replace(state, doubted_at=None, groundless=state.groundless + 1)
    return with_liveness(state, answered.worker, fresh)


def _counted(state: State, counted: Counted, now: float) -> State:
    """Flat rx while tx grows is a suspicion, never a verdict: uploads of one way look just so."""
    if counted.received:
        return replace(state, doubted_at=None, groundless=0)
    if not counted.sent or state.active is None or state.doubted_at is not None:
        return state
    asked_at = liveness_of(state, state.active).asked_at
    # The more often a doubt was groundless, the less of it: not more than one probe in a second in the end.
    pause = min(0.1 * 2.0 ** min(state.groundless, 16), 1.0)
    if asked_at is not None and now < asked_at + pause:
        return state
    return replace(state, doubted_at=now)


# Moving.


def _move(state: State, now: float, settings: Settings) -> tuple[State, list[Effect]]:
    effects: list[Effect] = []
    if _is_banned(state):
        state = replace(state, active=None, reason=Reason.BANNED)
        effects.append(Configure(None, Reason.BANNED))
    for name in _better(state, now, settings):
        # With no path at all there is none to lose: a silent one is better than nothing, once nothing else is left.
        answers = _answers(state, name, now, settings)
        if answers or (state.active is None and _is_silent(state, name, now, settings)):
            reason = _reason(state, name, now, settings, answers=answers)
            return _moved(state, name, reason), [*effects, Configure(name, reason)]
        if not _is_silent(state, state.active, now, settings):
            break  # There is time to wait for the best.
    return state, effects


def _moved(state: State, name: str, reason: Reason) -> State:
    left = state.active if reason in (Reason.SILENT, Reason.PUBLISHED) else None
    home = None if reason is Reason.FAILBACK or name == state.home else state.home or left
    return replace(
        state, active=name, reason=reason, kept=None, doubted_at=None, groundless=0, home=home, wish=None
    )


def _is_banned(state: State) -> bool:
    return state.active is not None and workers(state)[state.active].state is WorkerState.BANNED


def _answers(state: State, name: str, now: float, settings: Settings) -> bool:
    """It has just answered, and to a probe that was sent after the last proof that the present worker is alive."""
    known = liveness_of(state, name)
    if known.answered_ask is None or not _has_just_answered(known, now, settings):
        return False
    if known.unheard(now) >= _settled_after(state, known, settings):
        return False  # It restarted since: that answer was of a session it no longer knows.
    if known.recreated_at is not None and known.answered_ask < known.recreated_at:
        return False  # That answer was on its way while its session was made anew, and the worker may refuse this one for seconds.
    if not _is_silent(state, state.active, now, settings):
        return True
    # Or our own line was down: then the answer that comes first decides nothing.
    present = liveness_of(state, state.active or "")
    return present.answered_at is None or (
        known.answered_ask > present.answered_at and _asked_since(present, known, now)
    )


def _asked_since(present: Liveness, other: Liveness, now: float) -> bool:
    """The present worker was asked, too, since the other one answers, and in vain."""
    return other.answers_since is not None and present.asked_in_vain(now, other.answers_since)


def _has_just_answered(known: Liveness, now: float, settings: Settings) -> bool:
    return known.answered_at is not None and now - known.answered_at <= settings.answer_lifetime


def _reason(state: State, name: str, now: float, settings: Settings, *, answers: bool) -> Reason:
    if not answers:
        return Reason.NOTHING_ANSWERS
    if state.active is None:
        return Reason.FIRST
    if _is_silent(state, state.active, now, settings):
        return Reason.SILENT
    return Reason.FAILBACK if name == granted(state, now, settings) else Reason.PUBLISHED


def _better(state: State, now: float, settings: Settings) -> list[str]:
    """Whom to move to, the best first; nobody, if the present one is the best."""
    present = granted(state, now, settings) or state.active

    def order(worker: PublishedWorker) -> tuple[object, ...]:
        return (
            _is_silent(state, worker.name, now, settings),
            STATE_RANK[worker.state],
            worker.name != present,  # It wins ties: a change of weight moves nobody.
            worker.state is WorkerState.SUSPECT,
            *preference(settings.policy, settings.client, worker, liveness_of(state, worker.name).round_trip),
        )

    usable = [worker for worker in workers(state).values() if worker.state is not WorkerState.BANNED]
    ordered = [worker.name for worker in sorted(usable, key=order)]
    return ordered[: ordered.index(state.active)] if state.active in ordered else ordered


def _is_silent(state: State, name: str | None, now: float, settings: Settings) -> bool:
    if name is None:
        return False
    known = liveness_of(state, name)
    if name != state.active:  # On a path that loses packets a miss says little, and an answer much.
        settled = known.unheard(now) >= _settled_after(state, known, settings)
        return settled or (known.misses >= 1 and not _has_just_answered(known, now, settings))
    doubted = workers(state)[name].state in (WorkerState.SUSPECT, WorkerState.DOWN)
    return (settings.local_failover or doubted) and known.misses >= known.silent_after(settings.silent_after)


# Probing.


def _probes(state: State, now: float, settings: Settings) -> tuple[State, list[Effect]]:
    effects: list[Effect] = []
    for name, interval in _schedule(state, now, settings):
        known = liveness_of(state, name)
        if known.asked_at is not None and now < known.asked_at + interval:
            continue
        if name != state.active and _is_stale(state, known, now, settings):
            effects.append(Recreate(name))
            known = replace(known, recreated_at=now, in_vain=known.in_vain + 1)
        elif name == state.active and _is_lost(state, known, now, settings):
            effects.append(Redirect(name))
            known = replace(known, recreated_at=now)
        effects.append(Probe(name, now))
        state = with_liveness(state, name, ask(known, now))
    return state, effects


def _is_stale(state: State, known: Liveness, now: float, settings: Settings) -> bool:
    """A silent standby: perhaps it restarted, and knows nothing of the session we still use."""
    if known.misses < _settled_after(state, known, settings):
        return False
    return known.recreated_at is None or now - known.recreated_at >= _pause(known, settings)


def _is_lost(state: State, known: Liveness, now: float, settings: Settings) -> bool:
    """The last worker is silent, and may be at another endpoint of its own. Where there are others, one of them is found.

    Not at once: after a hiccup of our own line it would be looked for where it is not.
    """
    there = workers(state).values()
    if any(one.name != state.active and one.state not in GONE for one in there):
        return False
    if known.misses < settings.silent_after or not may_be_elsewhere(workers(state)[state.active or ""]):
        return False
    if known.answered_at is not None and now - known.answered_at < settings.lost_after:
        return False
    return known.recreated_at is None or now - known.recreated_at >= settings.redirect_interval


def _pause(known: Liveness, settings: Settings) -> float:
    """Seconds between attempts to make a session anew: a handshake and an echo; longer each time that it is in vain.

    The first one is lost where the worker is just starting, and WireGuard itself would try again only after five.
    """
    return min(2.0 * known.patience * 2.0 ** min(max(known.in_vain - 1, 0), 16), settings.recreate_most)


def _settled_after(state: State, known: Liveness, settings: Settings) -> int:
    """Misses after which a standby is taken for silent. A session that was good is not thrown away for a line that loses packets.

    The active worker is asked most, so its loss is the best word on the client's own line.
    """
    line = liveness_of(state, state.active or "").loss
    return misses_beyond_chance(max(known.loss, line), STALE_BY_CHANCE, settings.recreate_after)


def _schedule(state: State, now: float, settings: Settings) -> Iterator[tuple[str, float]]:
    """Which workers are probed at present, and how often."""
    there = workers(state)
    active = there.get(state.active or "")
    doubtful = active is None or _is_doubtful(state, active.name, now)
    hurried = doubtful or (active is not None and active.state is WorkerState.DOWN)
    best = _better(state, now, settings)[:1]
    if settings.is_vantage:  # Nobody is looked for, and nobody is in a hurry.
        hurried, best = False, []
    for name, worker in there.items():
        if worker.state is WorkerState.BANNED:
            continue
        if name == state.active:
            yield name, _active_interval(state, name, now, settings, doubtful=doubtful)
        else:
            hurry = hurried or name in best  # The best, until it is moved to.
            known = liveness_of(state, name)
            settled = known.misses > _settled_after(state, known, settings)
            yield name, _standby_interval(known, settings, hurried=hurry, settled=settled)


def _active_interval(state: State, name: str, now: float, settings: Settings, *, doubtful: bool) -> float:
    if doubtful and (not _is_silent(state, name, now, settings) or _is_line_back(state, now, settings)):
        return settings.burst_interval
    return settings.active_interval


def _is_line_back(state: State, now: float, settings: Settings) -> bool:
    """Another worker answers again, and the present one was not asked in vain since: perhaps nothing but our own line was down."""
    present = liveness_of(state, state.active or "")
    return any(
        _has_just_answered(known, now, settings) and not _asked_since(present, known, now)
        for name, known in state.liveness.items()
        if name != state.active
    )


def _standby_interval(known: Liveness, settings: Settings, *, hurried: bool, settled: bool) -> float:
    if settled:
        return min(settings.doubt_interval, _pause(known, settings)) if hurried else settings.standby_interval
    # One that has missed is asked again at once, until that is settled.
    return settings.urgent_interval if hurried or known.misses else settings.standby_interval


def _is_doubtful(state: State, active: str, now: float) -> bool:
    known = liveness_of(state, active)
    overdue_at = known.overdue_at()
    overdue = overdue_at is not None and now >= overdue_at
    return state.doubted_at is not None or known.misses > 0 or overdue
