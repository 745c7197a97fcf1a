"""Where alerts arrive."""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from failover_receiver.access import Role
from failover_receiver.alerts import Ignored, Understood, Webhook, from_webhook
from failover_receiver.metrics import Metrics
from failover_receiver.receiver import Receiver
from failover_receiver.state import Action, AlertSeen, State
from failover_receiver.webhooks import description, read
from wgfleet.logs import say

log = logging.getLogger(__name__)
MOST_LINES = 20
"""Of the log, for one delivery. Beyond that it is not read line by line, and writing it would hold up the next one."""

QUIET = frozenset({Action.ADMIT, Action.WATCHDOG})
"""What a healthy fleet says all the time; that it fires is not worth a line each time."""

DESCRIPTION: dict[int | str, dict[str, Any]] = {
    200: {"description": "Durable, and shown."},
    422: {"description": "Wrong in itself; nothing changed. Sending it again would not help."},
    503: {"description": "The store is not available; nothing changed. Send it again."},
}


def routes(receiver: Receiver) -> APIRouter:
    """`POST /v1/alerts`."""
    router = APIRouter()
    driver, metrics = receiver.driver, receiver.metrics
    admit = receiver.allow(Role.ALERTMANAGER, Role.OPERATOR)

    @router.post("/v1/alerts", response_model=None, responses=DESCRIPTION, openapi_extra=description())
    async def deliver(request: Request) -> Response:
        """Take Alertmanager's webhook. 2xx: durable. 503: try again. 4xx: wrong in itself, nothing changed."""
        holder = await admit(request)
        with metrics.webhook_duration.time():
            webhook = await read(request)
            if webhook.truncatedAlerts:
                return _truncated(webhook, metrics)
            understood = from_webhook(
                webhook, driver.state.workers, now=driver.clock(), future_limit=driver.policy.future_limit
            )
            _tell(understood)
            if understood.ignored:
                _count_ignored(understood.ignored, metrics)
                if not understood.seen:
                    return _nothing_but(understood.ignored)
            delays = _delays(understood.seen, driver.state, now=driver.clock())
            state = await driver.deliver(understood.seen, who=holder.name)
            metrics.webhook_taken.set(driver.clock())
            _count_taken(understood.seen, delays, metrics)
        if not understood.ignored:
            # The same as below, of what comes thousands of times a second.
            said = b'{"accepted":%d,"ignored":[],"generation":%d}' % (len(understood.seen), state.generation)
            return Response(said, media_type="application/json")
        ignored = _reasons(understood.ignored)
        return JSONResponse(
            {"accepted": len(understood.seen), "ignored": ignored, "generation": state.generation}
        )

    return router


# What is said of it: in the log, in the answer, in the metrics.


def _tell(understood: Understood) -> None:
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


def _truncated(webhook: Webhook, metrics: Metrics) -> JSONResponse:
    missing = webhook.truncatedAlerts
    error = f"truncatedAlerts is {missing}: alerts are missing; set max_alerts: 0"
    say(log, "delivery refused", level=logging.ERROR, error=error, alerts=len(webhook.alerts))
    metrics.alerts.labels("", "", "truncated").inc(len(webhook.alerts) + max(missing, 0))
    return JSONResponse({"error": error}, status_code=422)


def _nothing_but(ignored: Sequence[Ignored]) -> JSONResponse:
    reasons = _reasons(ignored)
    return JSONResponse({"error": reasons[0]["reason"], "ignored": reasons}, status_code=422)


def _reasons(ignored: Sequence[Ignored]) -> list[dict[str, str]]:
    return [{"alertname": one.name, "reason": one.reason} for one in ignored]


def _count_ignored(ignored: Sequence[Ignored], metrics: Metrics) -> None:
    for status, count in Counter(one.status for one in ignored).items():
        # Not by the name that came: anybody's invention would become a series.
        metrics.alerts.labels("", status, "ignored").inc(count)


def _count_taken(taken: Sequence[AlertSeen], delays: Sequence[tuple[str, float]], metrics: Metrics) -> None:
    for (name, status), count in Counter((seen.name, _status(seen)) for seen in taken).items():
        metrics.taken(name, status).inc(count)
    for name, delay in delays:
        metrics.delay(name).observe(delay)


def _delays(taken: Sequence[AlertSeen], state: State, *, now: float) -> list[tuple[str, float]]:
    """How late each came of which this is the first that is heard; the Watchdog's start, long ago, tells nothing."""
    return [
        (seen.name, max(0.0, now - seen.starts_at))
        for seen in taken
        if seen.firing and seen.action is not Action.WATCHDOG and _begins(seen, state)
    ]


def _begins(seen: AlertSeen, state: State) -> bool:
    known = state.alerts.get(seen.fingerprint)
    return known is None or known.starts_at < seen.starts_at
