"""Events to facts: which alerts fire, and what operators wish, or workers of themselves. What follows from them is decided in core.py.

What an event leaves as it was stays the same object, the mapping too: so a later stage, and the store, can tell by
`is` what to look at, and a step costs what is new in it, not what is known.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from failover_receiver.firing import foremost
from failover_receiver.state import (
    USABLE,
    Action,
    Alert,
    AlertsDelivered,
    AlertSeen,
    AlertsRead,
    DrainWished,
    Event,
    Policy,
    RefusedError,
    State,
    Tick,
    UnknownError,
    Worker,
    WorkerAdmitted,
    WorkerBanned,
    WorkerRegistered,
    WorkerRemoved,
    WorkerSpec,
)


def not_ahead(state: State, now: float) -> State:
    """Nothing was heard after now. Or, once a clock was set back, a dead Watchdog would seem fresh for as long."""
    alerts = {
        key: replace(
            alert,
            starts_at=min(alert.starts_at, now),
            heard_at=min(alert.heard_at, now),
            ended_at=alert.ended_at and min(alert.ended_at, now),
        )
        for key, alert in state.alerts.items()
        if alert.heard_at > now or alert.starts_at > now or (alert.ended_at or 0.0) > now
    }
    workers = {
        name: replace(worker, up_since=now)
        for name, worker in state.workers.items()
        if (worker.up_since or 0.0) > now
    }
    if not alerts and not workers and state.read_at <= now:
        return state
    return replace(
        state,
        alerts={**state.alerts, **alerts},
        workers={**state.workers, **workers},
        read_at=min(state.read_at, now),
    )


def with_heard(state: State, heard: Mapping[str, float], read_at: float) -> State:
    """What others have heard firing, by its fingerprint, of what is known here: it was heard when anyone heard it last."""
    later = {
        key: replace(alert, heard_at=heard[key])
        for key, alert in state.alerts.items()
        if heard.get(key, 0.0) > alert.heard_at
    }
    if not later and read_at <= state.read_at:
        return state
    alerts = {**state.alerts, **later} if later else state.alerts
    return replace(state, alerts=alerts, read_at=max(state.read_at, read_at))


def repeated(state: State, event: Event, now: float, policy: Policy) -> State:
    """What of an event is a repetition alone: it may be remembered where nothing can be kept, and so nothing be decided."""
    if not isinstance(event, AlertsDelivered | AlertsRead):
        return state
    heard, known = hear(not_ahead(state, now), event, now, policy), state.alerts
    again = {
        key: alert.heard_at
        for key, alert in heard.alerts.items()
        if key in known
        and (alert.starts_at, alert.ended_at, alert.overruled)
        == (known[key].starts_at, known[key].ended_at, known[key].overruled)
    }
    return with_heard(state, again, heard.read_at)


def hear(state: State, event: Event, now: float, policy: Policy) -> State:
    """Take in one event.

    Raises:
        RefusedError: an operator's command that cannot be carried out.

    """
    match event:
        case AlertsDelivered(alerts):
            # While Alertmanager's own word of the Watchdog's age can be read, a repeated webhook adds nothing:
            # Alertmanager repeats it for a while after Prometheus has died.
            reading = now - state.read_at < policy.watchdog_timeout
            counted = [seen for seen in alerts if not (reading and seen.action is Action.WATCHDOG)]
            return replace(state, alerts=_record(state.alerts, counted, now, policy.late_delivery))
        case AlertsRead():
            return _read(state, event, now)
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
        case DrainWished(name, drain, own):
            return _with(state, name, _wished(state, name, drain=drain, own=own))
        case WorkerBanned(name, banned):
            return _with(state, name, replace(_known(state, name), banned=banned))
        case WorkerAdmitted(name, force):
            return _admit(state, name, force=force, now=now, policy=policy)
        case Tick():
            return state


# Operators.


def _known(state: State, name: str) -> Worker:
    if name not in state.workers:
        there = ", ".join(sorted(state.workers)) or "none"
        raise UnknownError(f"there is no worker {name!r}; registered: {there}")
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
            "lose it; choose another name, or say that it has a new key (--new-key)"
        )
    return Worker(spec, drain=known.drain, drain_own=known.drain_own, banned=known.banned)


def _with(state: State, name: str, worker: Worker) -> State:
    return replace(state, workers={**state.workers, name: worker})


def _wished(state: State, name: str, *, drain: bool, own: bool) -> Worker:
    worker = _known(state, name)
    if not own:
        return replace(worker, drain=drain, drain_own=False)
    if drain == worker.drain:
        return worker  # An operator's drain stays the operator's.
    if drain:
        _must_leave_another(state, name)
    elif not worker.drain_own:
        raise RefusedError(
            f"{name} is drained by an operator, not by itself: `wgfleet worker undrain {name}` lifts that"
        )
    return replace(worker, drain=drain, drain_own=drain)


def _must_leave_another(state: State, name: str) -> None:
    if not any(one.state in USABLE for one in state.published if one.name != name):
        raise RefusedError(
            f"no worker but {name} may be used, so it does not drain itself: add another, or drain it as an operator"
        )


def _admit(state: State, name: str, *, force: bool, now: float, policy: Policy) -> State:
    worker = _known(state, name)
    if worker.banned:
        raise RefusedError(f"{name} is banned: lift the ban first")
    of_it = [alert for alert in state.alerts.values() if alert.worker == name]
    alert = foremost(of_it, Action.FAILOVER, now, policy)
    alerts = state.alerts
    if alert is not None:
        if not force:
            raise RefusedError(f"{alert.name} fires for {name}: mend the worker, or admit it with --force")
        alerts = {
            key: replace(other, overruled=True)
            if other.worker == name and other.action is Action.FAILOVER
            else other
            for key, other in alerts.items()
        }
    if worker.failed_at is None and worker.proven:
        return replace(state, alerts=alerts)  # It is in.
    admitted = replace(worker, proven=True, admitted=True, failed_at=None, up_since=None, degraded=False)
    return _with(replace(state, alerts=alerts), name, admitted)


# Alerts.


def _read(state: State, event: AlertsRead, now: float) -> State:
    alerts = _record(state.alerts, event.alerts, now, late=0.0)
    if event.complete:
        present = {seen.fingerprint for seen in event.alerts}
        gone = {
            key: replace(alert, ended_at=event.read_at)
            for key, alert in alerts.items()
            if key not in present and alert.ended_at is None and alert.heard_at < event.read_at
        }
        alerts = {**alerts, **gone} if gone else alerts
    return replace(state, alerts=alerts, read_at=max(state.read_at, event.read_at))


def _record(
    alerts: Mapping[str, Alert], seen: Iterable[AlertSeen], now: float, late: float
) -> Mapping[str, Alert]:
    recorded: dict[str, Alert] = {}
    # An order of their own, so that the order within a batch means nothing; an end comes after its beginning.
    for one in sorted(seen, key=lambda one: (one.starts_at, not one.firing, one.fingerprint)):
        known = recorded.get(one.fingerprint) or alerts.get(one.fingerprint)
        # Nothing begins after its own end, nor, though another clock is ahead of ours, after now.
        began = min(one.starts_at, now if one.firing else min(one.ends_at, now))
        merged = _merge(known, one, began, late)
        if merged is not known:
            recorded[one.fingerprint] = merged
    return {**alerts, **recorded} if recorded else alerts


def _merge(known: Alert | None, seen: AlertSeen, began: float, late: float) -> Alert:
    if known is None:
        heard_at, ended_at = (seen.seen_at, None) if seen.firing else (0.0, seen.ends_at)
        return Alert(seen.name, seen.action, seen.worker, began, heard_at, ended_at)
    starts_at = max(known.starts_at, began)
    if not seen.firing:
        # The mirror of the test below, so that it does not matter which of the two came first.
        if seen.ends_at < known.starts_at or seen.ends_at + late < known.heard_at:
            return known  # The end of an earlier one.
        ended_at = max(known.ended_at or 0.0, seen.ends_at)
        return _retold(known, starts_at, known.heard_at, ended_at, overruled=known.overruled)
    over = known.ended_at is not None
    if known.ended_at is not None and began <= known.ended_at and seen.seen_at <= known.ended_at + late:
        return known  # A delivery from before its end.
    heard_at = max(known.heard_at, seen.seen_at)
    return _retold(known, starts_at, heard_at, None, overruled=known.overruled and not over)


def _retold(
    known: Alert, starts_at: float, heard_at: float, ended_at: float | None, *, overruled: bool
) -> Alert:
    said = starts_at, heard_at, ended_at, overruled
    if said == (known.starts_at, known.heard_at, known.ended_at, known.overruled):
        return known
    # Not by `replace`, which looks at each field by its name: a reading brings a thousand.
    return Alert(known.name, known.action, known.worker, *said)
