"""Where alerts arrive."""

import logging
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from failover_receiver.access import Holder, Role
from failover_receiver.alerts import Webhook, from_webhook
from failover_receiver.receiver import Receiver
from failover_receiver.state import Action, AlertsDelivered, AlertSeen, State
from wgfleet.logs import say

log = logging.getLogger(__name__)


def routes(receiver: Receiver) -> APIRouter:
    """`POST /v1/alerts`."""
    router = APIRouter()
    driver, metrics = receiver.driver, receiver.metrics

    @router.post("/v1/alerts", response_model=None)
    async def deliver(
        webhook: Webhook, holder: Annotated[Holder, Depends(receiver.allow(Role.ALERTMANAGER, Role.OPERATOR))]
    ) -> dict[str, Any] | JSONResponse:
        """Take Alertmanager's webhook. 2xx: durable. 503: try again. 4xx: wrong in itself, nothing changed."""
        if webhook.truncatedAlerts:
            error = f"truncatedAlerts is {webhook.truncatedAlerts}: alerts are missing; set max_alerts: 0"
            return JSONResponse({"error": error}, status_code=422)
        with metrics.webhook_duration.time():
            understood = from_webhook(
                webhook, driver.state.workers, now=driver.clock(), future_limit=driver.policy.future_limit
            )
            for one in understood.ignored:
                say(log, "alert ignored", alertname=one.name, status=one.status, reason=one.reason)
                # Not by the name that came: anybody's invention would become a series.
                metrics.alerts.labels("", one.status, "ignored").inc()
            reasons = [{"alertname": one.name, "reason": one.reason} for one in understood.ignored]
            if not understood.seen and reasons:
                return JSONResponse({"error": reasons[0]["reason"], "ignored": reasons}, status_code=422)
            for seen in understood.seen:
                # What a healthy fleet says all the time is not worth a line each time.
                quiet = seen.firing and seen.action in {Action.ADMIT, Action.WATCHDOG}
                say(log, "alert", level=logging.DEBUG if quiet else logging.INFO,
                    alertname=seen.name, worker=seen.worker,
                    status="firing" if seen.firing else "resolved", starts_at=seen.starts_at)  # fmt: skip
            begun = [seen for seen in understood.seen if _begins(seen, driver.state)]
            heard_at = driver.clock()
            state = await driver.take(AlertsDelivered(understood.seen), who=holder.name)
            for seen in understood.seen:
                status = "firing" if seen.firing else "resolved"
                metrics.alerts.labels(seen.name, status, "taken").inc()
            for seen in begun:
                metrics.alert_delay.labels(seen.name).observe(max(0.0, heard_at - seen.starts_at))
        return {"accepted": len(understood.seen), "ignored": reasons, "generation": state.generation}

    return router


def _begins(seen: AlertSeen, state: State) -> bool:
    """Whether this is the first that is heard of it; the Watchdog's start, long ago, tells nothing."""
    known = state.alerts.get(seen.fingerprint)
    return (
        seen.firing
        and seen.action is not Action.WATCHDOG
        and (known is None or known.starts_at < seen.starts_at)
    )
