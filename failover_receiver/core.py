"""Who serves. Everything that decides which state a worker is published in lives in this file.

Three stages, always in this order:

    hear    an event changes what is known: which alerts fire, what operators wish
    settle  what is known of the alerts changes the standing of workers, unless monitoring is in doubt:

              registered ──Up──▶ proven ◀──────────────────── hold-down over, Up still heard ─┐
                  │                │                                                          │
                  └──── Down ──────┴──▶ failed ──Up heard, no Down active──▶ recovering ──────┘
                                          ▲                                      │
                                          └──────────────── Down ────────────────┘
    choose  the standing of all workers together gives each one's published state, with a reason

Only `settle` looks at the time. Silence moves nobody: a failed worker needs an Up that was heard after its Down
had ended, because a Prometheus that dies makes Alertmanager say `resolved` of a worker that is still dead.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from failover_receiver.peersets import CHANGED, decisions, peer_set, published_worker
from failover_receiver.state import (
    Action,
    Alert,
    AlertsDelivered,
    AlertSeen,
    AlertsRead,
    DrainWished,
    Effect,
    Event,
    Persist,
    Policy,
    Publish,
    Reason,
    RefusedError,
    State,
    Tick,
    Worker,
    WorkerAdmitted,
    WorkerBanned,
    WorkerRegistered,
    WorkerRemoved,
    WorkerSpec,
)
from wgfleet.peerset import Monitoring, PublishedWorker, WorkerState

DEGRADED = "WireGuardWorkerDegraded"


def step(state: State, event: Event, *, now: float, policy: Policy) -> tuple[State, tuple[Effect, ...]]:
    """Take one event; return the new state and what to do, in order.

    Raises:
        RefusedError: an operator's command that cannot be carried out.

    """
    heard = _hear(_not_ahead(state, now), event, now, policy)
    settled = _settle(heard, now, policy)
    return _publish(state, settled, now, policy)


def next_deadline(state: State, policy: Policy, *, now: float) -> float | None:
    """When to send the next Tick, if nothing happens before."""
    deadlines = [state.issued_at + policy.fresh_for / 2]
    deadlines += [
        alert.heard_at
        + (policy.watchdog_timeout if alert.action is Action.WATCHDOG else policy.alert_lifetime)
        for alert in state.alerts.values()
        if alert.ended_at is None
    ]
    deadlines += [
        worker.up_since + hold_down(worker, policy)
        for worker in state.workers.values()
        if worker.up_since is not None
    ]
    return min((deadline for deadline in deadlines if deadline > now), default=None)


def hold_down(worker: Worker, policy: Policy) -> float:
    """Seconds that a worker must be up before it serves again; longer the more often it failed."""
    repeated = max(0, len(worker.failures) - 1)
    # The exponent is bounded so that a worker that flaps all day cannot overflow a float.
    return float(min(policy.hold_down * policy.hold_down_factor ** min(repeated, 64), policy.hold_down_max))


def frozen_by(state: State, now: float, policy: Policy) -> str | None:
    """Why nothing is moved by alerts at present; None if monitoring can be believed."""
    watchdogs = [alert for alert in state.alerts.values() if alert.action is Action.WATCHDOG]
    if not any(now < alert.heard_at + policy.watchdog_timeout for alert in watchdogs):
        return f"no Watchdog for {policy.watchdog_timeout:g} s"
    if any(_active(alert, now, policy) for alert in state.alerts.values() if alert.action is Action.HOLD):
        return "the vantage says that it sees nothing"
    return None


def unmonitored(state: State, now: float, policy: Policy) -> frozenset[str]:
    """Workers of which neither Up nor Down nor Degraded has been heard for too long."""
    heard = {
        alert.worker
        for alert in state.alerts.values()
        if alert.action in (Action.FAILOVER, Action.ADMIT) and now - alert.heard_at <= policy.worker_silence
    }
    return frozenset(name for name in state.workers if name not in heard)


# Hear: events to facts.


def _not_ahead(state: State, now: float) -> State:
    """Nothing was heard after now. Or, once a clock was set back, a dead Watchdog would seem fresh for as long."""
    alerts = {
        key: replace(
            alert, heard_at=min(alert.heard_at, now), ended_at=alert.ended_at and min(alert.ended_at, now)
        )
        for key, alert in state.alerts.items()
    }
    workers = {
        name: replace(worker, up_since=worker.up_since and min(worker.up_since, now))
        for name, worker in state.workers.items()
    }
    return replace(state, alerts=alerts, workers=workers, read_at=min(state.read_at, now))


def _hear(state: State, event: Event, now: float, policy: Policy) -> State:
    match event:
        case AlertsDelivered(alerts):
            # While Alertmanager's own word of the Watchdog's age can be read, a repeated webhook adds nothing:
            # Alertmanager repeats it for a while after Prometheus has died.
            reading = now - state.read_at < policy.watchdog_timeout
            counted = [seen for seen in alerts if not (reading and seen.action is Action.WATCHDOG)]
            return replace(state, alerts=_record(state.alerts, counted, policy.late_delivery))
        case AlertsRead():
            return _read(state, event)
        case WorkerRegistered(name, spec, new_key):
            _must_be_unique(state, name, spec)
            known = state.workers.get(name)
            worker = _registered(known, name, spec, new_key=new_key)
            # What was heard of the old key says nothing about the new one.
            kept = known is None or known.spec.public_key == spec.public_key
            return _with(state if kept else _without_alerts(state, name), name, worker)
        case WorkerRemoved(name):
            _known(state, name)
            others = {other: worker for other, worker in state.workers.items() if other != name}
            return replace(_without_alerts(state, name), workers=others)
        case DrainWished(name, drain):
            return _with(state, name, replace(_known(state, name), drain=drain))
        case WorkerBanned(name, banned):
            return _with(state, name, replace(_known(state, name), banned=banned))
        case WorkerAdmitted(name, force):
            return _admit(state, name, force=force, now=now, policy=policy)
        case Tick():
            return state


def _known(state: State, name: str) -> Worker:
    if name not in state.workers:
        there = ", ".join(sorted(state.workers)) or "none"
        raise RefusedError(f"there is no worker {name!r}; registered: {there}")
    return state.workers[name]


def _must_be_unique(state: State, name: str, spec: WorkerSpec) -> None:
    for other, worker in state.workers.items():
        if other != name and worker.spec.public_key == spec.public_key:
            raise RefusedError(
                f"public_key {spec.public_key!r} is already that of worker {other!r}: each has its own"
            )
        shared = set(worker.spec.tunnel_addresses) & set(spec.tunnel_addresses)
        if other != name and shared:
            raise RefusedError(f"tunnel_addresses: {min(shared)} is already that of worker {other!r}")


def _without_alerts(state: State, name: str) -> State:
    return replace(state, alerts={key: alert for key, alert in state.alerts.items() if alert.worker != name})


def _registered(known: Worker | None, name: str, spec: WorkerSpec, *, new_key: bool) -> Worker:
    if known is None:
        return Worker(spec)
    if known.spec.public_key == spec.public_key:
        return replace(known, spec=spec)
    if not new_key:
        raise RefusedError(
            f"worker {name!r} has the public_key {known.spec.public_key!r}, not {spec.public_key!r}: every client would "
            "lose it; choose another name, or say that it has a new key"
        )
    return Worker(spec, drain=known.drain, banned=known.banned)


def _with(state: State, name: str, worker: Worker) -> State:
    return replace(state, workers={**state.workers, name: worker})


def _admit(state: State, name: str, *, force: bool, now: float, policy: Policy) -> State:
    worker = _known(state, name)
    if worker.banned:
        raise RefusedError(f"{name} is banned: lift the ban first")
    alert = _firing(state.alerts.values(), name, Action.FAILOVER, now, policy)
    alerts = state.alerts
    if alert is not None:
        if not force:
            raise RefusedError(f"{alert.name} fires for {name}: mend the worker, or admit it with force")
        alerts = {
            key: replace(other, overruled=True)
            if other.worker == name and other.action is Action.FAILOVER
            else other
            for key, other in alerts.items()
        }
    admitted = replace(worker, proven=True, failed_at=None, up_since=None, degraded=False)
    return _with(replace(state, alerts=alerts), name, admitted)


def _read(state: State, event: AlertsRead) -> State:
    alerts = dict(_record(state.alerts, event.alerts, late=0.0))
    if event.complete:
        present = {seen.fingerprint for seen in event.alerts}
        for key, alert in alerts.items():
            if key not in present and alert.ended_at is None and alert.heard_at < event.read_at:
                alerts[key] = replace(alert, ended_at=event.read_at)
    return replace(state, alerts=alerts, read_at=max(state.read_at, event.read_at))


def _record(alerts: Mapping[str, Alert], seen: Iterable[AlertSeen], late: float) -> Mapping[str, Alert]:
    recorded = dict(alerts)
    # An order of their own, so that the order within a batch means nothing; an end comes after its beginning.
    for one in sorted(seen, key=lambda one: (one.starts_at, not one.firing, one.fingerprint)):
        recorded[one.fingerprint] = _merge(recorded.get(one.fingerprint), one, late)
    return recorded


def _merge(known: Alert | None, seen: AlertSeen, late: float) -> Alert:
    if known is None:
        heard_at, ended_at = (seen.seen_at, None) if seen.firing else (0.0, seen.ends_at)
        return Alert(seen.name, seen.action, seen.worker, seen.starts_at, heard_at, ended_at)
    starts_at = max(known.starts_at, seen.starts_at)
    if not seen.firing:
        if seen.ends_at < known.starts_at:  # The end of an earlier one.
            return known
        return replace(known, starts_at=starts_at, ended_at=max(known.ended_at or 0.0, seen.ends_at))
    over = known.ended_at is not None
    if (
        known.ended_at is not None
        and seen.starts_at <= known.ended_at
        and seen.seen_at <= known.ended_at + late
    ):
        return known  # A delivery from before its end.
    heard_at = seen.seen_at if over else max(known.heard_at, seen.seen_at)
    overruled = known.overruled and not over
    return replace(known, starts_at=starts_at, heard_at=heard_at, ended_at=None, overruled=overruled)


# Settle: facts to standing.


def _active(alert: Alert, now: float, policy: Policy) -> bool:
    # The same sum as in next_deadline, or rounding could keep it alive at its own deadline.
    lives = alert.ended_at is None and now < alert.heard_at + policy.alert_lifetime
    return lives and not alert.overruled


def _over_since(alert: Alert, policy: Policy) -> float:
    return alert.heard_at + policy.alert_lifetime if alert.ended_at is None else alert.ended_at


def _firing(alerts: Iterable[Alert], name: str, action: Action, now: float, policy: Policy) -> Alert | None:
    active = [a for a in alerts if a.worker == name and a.action is action and _active(a, now, policy)]
    return max(active, key=lambda alert: (alert.name != DEGRADED, alert.heard_at), default=None)


def _settle(state: State, now: float, policy: Policy) -> State:
    monitoring = Monitoring.LIVE if frozen_by(state, now, policy) is None else Monitoring.BLIND
    workers = state.workers
    if monitoring is Monitoring.LIVE:
        alerts = state.alerts.values()
        workers = {name: _standing(name, worker, alerts, now, policy) for name, worker in workers.items()}
    kept = {
        key: alert
        for key, alert in state.alerts.items()
        # What ended long ago can no longer be contradicted by a late delivery.
        if _active(alert, now, policy) or now - _over_since(alert, policy) <= policy.flap_window
    }
    return replace(state, workers=workers, alerts=kept, monitoring=monitoring)


def _standing(name: str, worker: Worker, alerts: Iterable[Alert], now: float, policy: Policy) -> Worker:
    down = _firing(alerts, name, Action.FAILOVER, now, policy)
    if down is not None:
        return _fail(worker, now, policy, degraded=down.name == DEGRADED)
    up = _firing(alerts, name, Action.ADMIT, now, policy)
    if up is None:
        return worker
    if worker.failed_at is None:
        return replace(worker, proven=True)
    downs = [a for a in alerts if a.worker == name and a.action is Action.FAILOVER and not a.overruled]
    if up.heard_at < max((_over_since(down, policy) for down in downs), default=0.0):
        return worker  # That Up is older than the end of the Down: no evidence of recovery.
    recovering = worker if worker.up_since is not None else replace(worker, up_since=now)
    if recovering.up_since is not None and now >= recovering.up_since + hold_down(recovering, policy):
        return replace(recovering, proven=True, failed_at=None, up_since=None, degraded=False)
    return recovering


def _fail(worker: Worker, now: float, policy: Policy, *, degraded: bool) -> Worker:
    if worker.failed_at is not None and worker.up_since is None:
        return replace(worker, degraded=degraded)  # The same failure, heard again.
    recent = tuple(at for at in worker.failures if 0 <= now - at <= policy.flap_window)
    return replace(worker, failed_at=now, up_since=None, degraded=degraded, failures=(*recent, now))


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
        return WorkerState.DRAINING, Reason.DRAINED
    if worker.failed_at is not None:
        return WorkerState.JOINING, Reason.HOLD_DOWN
    if not worker.proven:
        return WorkerState.JOINING, Reason.REGISTERED
    return WorkerState.SERVING, Reason.UP


# Publish: published states to a document, if it would say anything new.


def _publish(before: State, settled: State, now: float, policy: Policy) -> tuple[State, tuple[Effect, ...]]:
    published = _view(settled, now, policy)
    said_anew = published != before.published or settled.monitoring != before.monitoring
    if not said_anew and before.issued_at <= now < before.issued_at + policy.fresh_for / 2:
        news = _lasting(settled) != _lasting(before)
        return settled, (Persist(),) if news else ()
    decided = decisions(before.published, published)
    since = {worker.name: before.since.get(worker.name, now) for worker in published}
    since |= {one.worker: now for one in decided if one.worker in since and one.reason != CHANGED}
    state = replace(
        settled, published=published, since=since, generation=before.generation + 1, issued_at=now
    )
    return state, (*decided, Publish(peer_set(state, policy)))


def _view(state: State, now: float, policy: Policy) -> tuple[PublishedWorker, ...]:
    chosen = choose(state.workers, policy)
    alerts = state.alerts.values()
    for name, (published, _) in chosen.items():
        # Only ever a serving worker's weight is lowered, so this alert may simply end, or no longer be heard.
        spared = published is WorkerState.SERVING and _firing(alerts, name, Action.SPARE, now, policy)
        if spared:
            chosen[name] = published, Reason.OVERLOADED
    return tuple(published_worker(name, state.workers[name], *chosen[name]) for name in sorted(chosen))


def _lasting(state: State) -> State:
    """The state without what any repetition brings again."""
    alerts = {key: replace(alert, heard_at=0.0) for key, alert in state.alerts.items()}
    return replace(state, alerts=alerts, read_at=0.0)
