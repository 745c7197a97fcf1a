"""Alertmanager's webhooks: 2xx means durable, 4xx wrong in itself; the store's own trouble is 503, and comes again."""

from typing import Any

from starlette.responses import JSONResponse, Response

from failover_receiver.access import Role
from failover_receiver.alerts import Understood, Webhook, WebhookAlert, from_webhook
from failover_receiver.carried import JSON, described
from failover_receiver.deliveries import count_ignored, count_taken, delays, reasons, tell, truncated
from failover_receiver.intake import Asked, Way
from failover_receiver.receiver import Receiver
from failover_receiver.state import State

PATH = "/v1/alerts"
SENDERS = frozenset({Role.ALERTMANAGER, Role.OPERATOR})


def way(receiver: Receiver) -> Way:
    """How they are taken."""
    driver, metrics = receiver.driver, receiver.metrics

    async def take(asked: Asked) -> Response:
        with metrics.webhook_duration.time():
            webhook = await asked.carried(Webhook)
            if webhook.truncatedAlerts:
                return JSONResponse({"error": truncated(webhook, metrics)}, 422)
            now, limit = driver.clock(), driver.policy.future_limit
            understood = from_webhook(webhook, driver.state.workers, now=now, future_limit=limit)
            if understood.ignored and receiver.others is not None:
                # Of a worker, perhaps, that another receiver has just been told of: 4xx would be its last word.
                await driver.catch_up()
                understood = from_webhook(webhook, driver.state.workers, now=now, future_limit=limit)
            tell(understood)
            if understood.ignored:
                count_ignored(understood.ignored, metrics)
                if not understood.seen:
                    told = reasons(understood.ignored)
                    return JSONResponse({"error": told[0]["reason"], "ignored": told}, 422)
            begun = delays(understood.seen, driver.state, now=now)
            state = await driver.deliver(understood.seen, who=asked.holder.name)
            metrics.webhook_taken.set(driver.clock())
            count_taken(understood.seen, begun, metrics)
        return _accepted(understood, state)

    return Way(SENDERS, take)


def description() -> dict[str, Any]:
    """Of their body, for the description of the API."""
    schema = Webhook.model_json_schema()
    del schema["$defs"]  # They would count from the description's own root.
    schema["properties"]["alerts"]["items"] = WebhookAlert.model_json_schema()
    return described(schema)


def _accepted(understood: Understood, state: State) -> Response:
    accepted, generation = len(understood.seen), state.generation
    if not understood.ignored:  # What comes thousands of times a second.
        said = b'{"accepted":%d,"ignored":[],"generation":%d}' % (accepted, generation)
        return Response(said, media_type=JSON)
    ignored = reasons(understood.ignored)
    return JSONResponse({"accepted": accepted, "ignored": ignored, "generation": generation})
