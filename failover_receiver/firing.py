"""What an alert says at a given time: whether it still counts, since when it does not, and which of several is foremost."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from failover_receiver.state import Action, Alert, Policy

DEGRADED = "WireGuardWorkerDegraded"

Told = Mapping[str | None, Sequence[Alert]]
"""What is known of each worker's alerts, by its name; under None what concerns no worker."""


def told_of(alerts: Iterable[Alert]) -> Told:
    """Sort them out once, for all questions of a step: a fleet has a thousand."""
    told: defaultdict[str | None, list[Alert]] = defaultdict(list)
    for alert in alerts:
        told[alert.worker].append(alert)
    return told


def active(alert: Alert, now: float, policy: Policy) -> bool:
    """Whether it fires and counts."""
    # The same sum as in next_deadline, or rounding could keep it alive at its own deadline.
    lives = alert.ended_at is None and now < alert.heard_at + policy.alert_lifetime
    return lives and not alert.overruled


def over_since(alert: Alert, policy: Policy) -> float:
    """When it ended, or will have if it is not heard again."""
    return alert.heard_at + policy.alert_lifetime if alert.ended_at is None else alert.ended_at


def foremost(alerts: Iterable[Alert], action: Action, now: float, policy: Policy) -> Alert | None:
    """Of one worker's alerts with this action that are active, the gravest, and of these the freshest."""
    best: Alert | None = None
    # Each step asks this three times of each worker, of all that is known: most are ruled out by one look.
    for alert in alerts:
        if alert.action is not action:
            continue
        if best is not None and alert.name == best.name and alert.heard_at <= best.heard_at:
            continue
        if active(alert, now, policy) and (best is None or _graver(alert, best)):
            best = alert
    return best


def _graver(one: Alert, other: Alert) -> bool:
    return (one.name != DEGRADED, one.heard_at) > (other.name != DEGRADED, other.heard_at)


def last_heard(alerts: Iterable[Alert]) -> float:
    """When one that says how its worker is was last heard; 0 if never."""
    last = 0.0
    for alert in alerts:
        if alert.heard_at > last and alert.action in SAYING:
            last = alert.heard_at
    return last


SAYING = frozenset({Action.FAILOVER, Action.ADMIT})
"""Up, Down and Degraded: of a worker that is monitored, one of them fires at any time."""
