"""What is said of a delivery: in the log, in the metrics, in the answer."""

import logging
from collections import Counter
from collections.abc import Sequence

from failover_receiver.alerts import Ignored, Understood, Webhook
from failover_receiver.metrics import Metrics
from failover_receiver.state import Action, AlertSeen, State
from wgfleet.logs import say

log = logging.getLogger(__name__)
MOST_LINES = 20
"""Of the log, for one delivery. Beyond that it is not read line by line, and writing it would hold up the next one."""

QUIET = frozenset({Action.ADMIT, Action.WATCHDOG})
"""What a healthy fleet says all the time; that it fires is not worth a line each time."""


def tell(understood: Understood) -> None:
    """Log it."""
    if len(understood.seen) + len(understood.ignored) > MOST_LINES:
        return _sum_up(understood)
    for one in understood.ignored:
        say(log, "alert ignored", alertname=one.name, status=one.status, reason=one.reason)
    for seen in understood.seen:
        level = logging.DEBUG if seen.firing and seen.action in QUIET else logging.INFO
        if log.isEnabledFor(level):
            say(log, "alert", level=level, alertname=seen.name, worker=seen.worker, status=_status(seen),
                starts_at=seen.starts_at)  # fmt: skip
    return None


def _sum_up(understood: Understood) -> None:
    firing = sum(seen.firing for seen in understood.seen)
    counted = Counter(seen.name for seen in understood.seen).most_common(MOST_LINES)
    say(log, "alerts", firing=firing, resolved=len(understood.seen) - firing, ignored=len(understood.ignored),
        alertnames=", ".join(f"{count} {name}" for name, count in counted),
        first_ignored=understood.ignored[0].reason if understood.ignored else None)  # fmt: skip


def _status(seen: AlertSeen) -> str:
    return "firing" if seen.firing else "resolved"


def truncated(webhook: Webhook, metrics: Metrics) -> str:
    """Refuse what is not whole, loudly: what is missing may be what matters. Returns why."""
    missing = webhook.truncatedAlerts
    error = f"truncatedAlerts is {missing}: alerts are missing; set max_alerts: 0"
    say(log, "delivery refused", level=logging.ERROR, error=error, alerts=len(webhook.alerts))
    metrics.alerts.labels("", "", "truncated").inc(len(webhook.alerts) + max(missing, 0))
    return error


def reasons(ignored: Sequence[Ignored]) -> list[dict[str, str]]:
    """Why each was ignored, for whoever sent it."""
    return [{"alertname": one.name, "reason": one.reason} for one in ignored]


def count_ignored(ignored: Sequence[Ignored], metrics: Metrics) -> None:
    """Count what changes nothing."""
    for status, count in Counter(one.status for one in ignored).items():
        # Not by the name that came: anybody's invention would become a series.
        metrics.alerts.labels("", status, "ignored").inc(count)


def count_taken(taken: Sequence[AlertSeen], delays: Sequence[tuple[str, float]], metrics: Metrics) -> None:
    """Count what counts, and how late it came."""
    for (name, status), count in Counter((seen.name, _status(seen)) for seen in taken).items():
        metrics.taken(name, status).inc(count)
    for name, delay in delays:
        metrics.delay(name).observe(delay)


def delays(taken: Sequence[AlertSeen], state: State, *, now: float) -> list[tuple[str, float]]:
    """How late each came of which this is the first that is heard; the Watchdog's start, long ago, tells nothing."""
    return [
        (seen.name, max(0.0, now - seen.starts_at))
        for seen in taken
        if seen.firing and seen.action is not Action.WATCHDOG and _begins(seen, state)
    ]


def _begins(seen: AlertSeen, state: State) -> bool:
    known = state.alerts.get(seen.fingerprint)
    return known is None or known.starts_at < seen.starts_at
