"""Who serves. Everything that decides which state a worker is published in lives in this file.

Three stages, always in this order:

    hear    an event changes what is known: which alerts fire, what operators wish (hearing.py)
    settle  what is known of the alerts changes the standing of each worker, unless monitoring is in doubt: it is
            registered, proven (heard up once), failed (a Down was heard), or recovering (heard up since, held down)
    choose  the standing of all workers together gives each one's published state, with a reason

Only `settle` looks at the time. Silence moves nobody: a failed worker needs an Up that was heard after its Down
had ended, because a Prometheus that dies makes Alertmanager say `resolved` of a worker that is still dead.
ARCHITECTURE.md draws what may follow what, as tools/diagram.py has found it by trying.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from failover_receiver.firing import DEGRADED, Told, active, foremost, last_heard, over_since, told_of
from failover_receiver.hearing import hear, not_ahead
from failover_receiver.peersets import decisions, peer_set, published_worker
from failover_receiver.remarks import remarks
from failover_receiver.state import (
    Action,
    Alert,
    Effect,
    Event,
    Persist,
    Policy,
    Publish,
    Reason,
    State,
    Worker,
)
from wgfleet.peerset import Monitoring, PublishedWorker, WorkerState


def step(state: State, event: Event, *, now: float, policy: Policy) -> tuple[State, tuple[Effect, ...]]:
    """Take one event; return the new state and what to do, in order.

    Raises:
        RefusedError: an operator's command that cannot be carried out.

    """
    heard = hear(not_ahead(state, now), event, now, policy)
    told = told_of(heard.alerts.values())
    settled = _settle(heard, told, now, policy)
    stepped, effects = _publish(state, settled, told, now, policy)
    return stepped, (*remarks(state, event, stepped, effects), *effects)


def next_deadline(state: State, policy: Policy, *, now: float) -> float | None:
    """When to send the next Tick, if nothing happens before."""
    deadlines = [state.issued_at + policy.fresh_for / 2]
    told = told_of(state.alerts.values())
    deadlines += [a.heard_at + policy.alert_lifetime for a in state.alerts.values() if a.ended_at is None]
    # One that has ended still vouches for monitoring for a while: an Alertmanager that starts empty lists none.
    alerts = told.get(None, ())
    deadlines += [a.heard_at + policy.watchdog_timeout for a in alerts if a.action is Action.WATCHDOG]
    deadlines += [
        worker.up_since + hold_down(worker, policy)
        for worker in state.workers.values()
        if worker.up_since is not None
    ]
    deadlines += [
        last_heard(told.get(name, ())) + policy.worker_silence
        for name, worker in state.workers.items()
        if worker.monitored
    ]
    return min((deadline for deadline in deadlines if deadline > now), default=None)


def hold_down(worker: Worker, policy: Policy) -> float:
    """Seconds that a worker must be up before it serves again; longer the more often it failed."""
    repeated = max(0, len(worker.failures) - 1)
    # The exponent is bounded so that a worker that flaps all day cannot overflow a float.
    return float(min(policy.hold_down * policy.hold_down_factor ** min(repeated, 64), policy.hold_down_max))


def frozen_by(state: State, now: float, policy: Policy) -> str | None:
    """Why nothing is moved by alerts at present; None if monitoring can be believed."""
    return _frozen_by(state.alerts.values(), now, policy)


def _frozen_by(alerts: Collection[Alert], now: float, policy: Policy) -> str | None:
    watchdogs = [alert for alert in alerts if alert.action is Action.WATCHDOG]
    if not any(now < alert.heard_at + policy.watchdog_timeout for alert in watchdogs):
        return f"no Watchdog for {policy.watchdog_timeout:g} s"
    if any(alert.action is Action.HOLD and active(alert, now, policy) for alert in alerts):
        return "the vantage says that it sees nothing"
    return None


def unmonitored(state: State, now: float, policy: Policy) -> frozenset[str]:
    """Workers of which neither Up nor Down nor Degraded has been heard for too long."""
    told = told_of(state.alerts.values())
    return frozenset(name for name in state.workers if not _monitored(told.get(name, ()), now, policy))


# Settle: facts to standing.


def _settle(state: State, told: Told, now: float, policy: Policy) -> State:
    monitoring = Monitoring.LIVE if _frozen_by(told.get(None, ()), now, policy) is None else Monitoring.BLIND
    workers = state.workers
    if monitoring is Monitoring.LIVE:
        judged = {name: _judged(worker, told.get(name, ()), now, policy) for name, worker in workers.items()}
        workers = judged if any(judged[name] is not workers[name] for name in judged) else workers
    alerts = state.alerts
    # What ended long ago can no longer be contradicted by a late delivery.
    past = now - policy.flap_window
    long_over = {key for key, a in alerts.items() if a.heard_at < past and over_since(a, policy) < past}
    if long_over:
        alerts = {key: alert for key, alert in alerts.items() if key not in long_over}
    return replace(state, workers=workers, alerts=alerts, monitoring=monitoring)


def _judged(worker: Worker, alerts: Sequence[Alert], now: float, policy: Policy) -> Worker:
    moved = _standing(worker, alerts, now, policy)
    monitored = _monitored(alerts, now, policy)
    return moved if moved.monitored == monitored else replace(moved, monitored=monitored)


def _monitored(alerts: Iterable[Alert], now: float, policy: Policy) -> bool:
    return now < last_heard(alerts) + policy.worker_silence


def _standing(worker: Worker, alerts: Sequence[Alert], now: float, policy: Policy) -> Worker:
    up = foremost(alerts, Action.ADMIT, now, policy)
    if up is not None and not worker.proven:
        worker = replace(worker, proven=True)  # Also against a Down, or it would matter which came first.
    down = foremost(alerts, Action.FAILOVER, now, policy)
    if down is not None:
        return _fail(worker, down, now, policy)
    if up is None:
        return worker
    if worker.failed_at is None:
        return replace(worker, admitted=False) if worker.admitted else worker
    if up.heard_at < _out_until(alerts, policy):
        # That Up is older than the end of the Down: no evidence of recovery, also where it was taken for one before
        # that end was told. Or it would matter in which order two ends came.
        return worker if worker.up_since is None else replace(worker, up_since=None)
    recovering = worker if worker.up_since is not None else replace(worker, up_since=now)
    if recovering.up_since is not None and now >= recovering.up_since + hold_down(recovering, policy):
        return replace(recovering, failed_at=None, up_since=None, degraded=False)
    return recovering


def _out_until(alerts: Iterable[Alert], policy: Policy) -> float:
    downs = (alert for alert in alerts if alert.action is Action.FAILOVER and not alert.overruled)
    return max((over_since(down, policy) for down in downs), default=0.0)


def _fail(worker: Worker, down: Alert, now: float, policy: Policy) -> Worker:
    failed = replace(worker, admitted=False, up_since=None, degraded=down.name == DEGRADED)
    if worker.failed_at is not None and (worker.up_since is None or down.starts_at <= worker.up_since):
        # The same failure, heard again, or not ended at all: two Prometheis may disagree for a while.
        return worker if failed == worker else failed
    recent = tuple(at for at in worker.failures if 0 <= now - at <= policy.flap_window)
    return replace(failed, failed_at=now, failures=(*recent, now))


# Choose: standing to published state.


def choose(workers: Mapping[str, Worker], policy: Policy) -> dict[str, tuple[WorkerState, Reason]]:
    """Each worker's published state and its reason: a function of their standing alone, not of its history.

    The panic limit: of the workers that could serve (neither drained nor banned, and proven once), those in
    trouble are taken out only while enough are left, and at least one. Otherwise all of them are `suspect`.
    """
    could_serve = {
        name for name, worker in workers.items() if worker.proven and not worker.drain and not worker.banned
    }
    in_trouble = {name for name in could_serve if workers[name].failed_at is not None}
    panic = len(could_serve - in_trouble) < max(1.0, policy.least_serving * len(could_serve))
    doubted = in_trouble if panic else set()
    return {
        name: (WorkerState.SUSPECT, Reason.TOO_MANY_DOWN) if name in doubted else _alone(worker)
        for name, worker in workers.items()
    }


def _alone(worker: Worker) -> tuple[WorkerState, Reason]:
    if worker.banned:
        return WorkerState.BANNED, Reason.BANNED
    if worker.failed_at is not None and worker.up_since is None:
        return WorkerState.DOWN, Reason.WORKER_DEGRADED if worker.degraded else Reason.WORKER_DOWN
    if worker.drain:
        return WorkerState.DRAINING, Reason.DRAINED_ITSELF if worker.drain_own else Reason.DRAINED
    if worker.failed_at is not None:
        return WorkerState.JOINING, Reason.HOLD_DOWN
    if not worker.proven:
        return WorkerState.JOINING, Reason.REGISTERED
    return WorkerState.SERVING, Reason.ADMITTED if worker.admitted else Reason.UP


# Publish: published states to a document, if it would say anything new.


def _publish(
    before: State, settled: State, told: Told, now: float, policy: Policy
) -> tuple[State, tuple[Effect, ...]]:
    published = _view(settled, told, now, policy)
    said_anew = published != before.published or settled.monitoring != before.monitoring
    if not said_anew and before.issued_at <= now < before.issued_at + policy.fresh_for / 2:
        return settled, (Persist(),) if _lasts(before, settled) else ()
    decided = decisions(before.published, published)
    was = {worker.name: (worker.state, worker.reason) for worker in before.published}
    since = {
        one.name: before.since.get(one.name, now) if was.get(one.name) == (one.state, one.reason) else now
        for one in published
    }
    state = replace(
        settled, published=published, since=since, generation=before.generation + 1, issued_at=now
    )
    return state, (*decided, Publish(peer_set(state, policy)))


def _view(state: State, told: Told, now: float, policy: Policy) -> tuple[PublishedWorker, ...]:
    chosen = choose(state.workers, policy)
    for name, (published, _) in chosen.items():
        # Only ever a serving worker's weight is lowered, so this alert may simply end, or no longer be heard.
        if published is WorkerState.SERVING and foremost(told.get(name, ()), Action.SPARE, now, policy):
            chosen[name] = published, Reason.OVERLOADED
    known = {worker.name: worker for worker in state.published}
    anew = (published_worker(name, state.workers[name], *chosen[name]) for name in sorted(chosen))
    return tuple(known[one.name] if known.get(one.name) == one else one for one in anew)


def _lasts(before: State, after: State) -> bool:
    """Whether there is more than any repetition brings again."""
    if after.workers != before.workers or after.alerts.keys() != before.alerts.keys():
        return True
    return any(
        alert is not (was := before.alerts[key])
        and (alert.starts_at, alert.ended_at, alert.overruled) != (was.starts_at, was.ended_at, was.overruled)
        for key, alert in after.alerts.items()
    )
