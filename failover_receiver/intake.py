"""Alertmanager's way in: bare ASGI before all other routes, because FastAPI takes longer for a request than we do.

Whatever goes wrong is passed on to the application with the reason, and answered by it as for every other route.
"""

import logging

from fastapi.exceptions import RequestValidationError
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from failover_receiver.access import DeniedError, Holder, Role
from failover_receiver.alerts import Understood, from_webhook
from failover_receiver.deliveries import count_ignored, count_taken, delays, reasons, tell, truncated
from failover_receiver.receiver import Receiver
from failover_receiver.routes.documents import REFUSED
from failover_receiver.state import State
from failover_receiver.store import StoreUnavailableError
from failover_receiver.webhooks import read
from wgfleet.logs import say

log = logging.getLogger(__name__)
PATH = "/v1/alerts"


SENDERS = frozenset({Role.ALERTMANAGER, Role.OPERATOR})


class Intake:
    """Takes webhooks, and passes on all else."""

    def __init__(self, app: ASGIApp, *, receiver: Receiver) -> None:
        """Stand before an application."""
        self._app = app
        self._receiver = receiver

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
            return await self._app(scope, receive, send)
        try:
            status, said = await self._take(scope, receive)
        except (DeniedError, RequestValidationError, StoreUnavailableError) as error:
            return await self._app({**scope, REFUSED: error}, receive, send)
        except ClientDisconnect:
            return say(log, "a sender hung up before its webhook was whole", level=logging.WARNING)
        if isinstance(said, bytes):
            head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(said))]
            await send({"type": "http.response.start", "status": status, "headers": head})
            return await send({"type": "http.response.body", "body": said})
        return await JSONResponse(said, status)(scope, receive, send)

    async def _take(self, scope: Scope, receive: Receive) -> tuple[int, bytes | dict[str, object]]:
        """2xx: durable. 4xx: wrong in itself, nothing changed."""
        asked = dict(scope["headers"])
        holder = self._admit(scope, asked)
        driver, metrics = self._receiver.driver, self._receiver.metrics
        with metrics.webhook_duration.time():
            webhook = await read(receive, asked.get(b"content-type", b"").decode("latin-1"))
            if webhook.truncatedAlerts:
                return 422, {"error": truncated(webhook, metrics)}
            now, limit = driver.clock(), driver.policy.future_limit
            understood = from_webhook(webhook, driver.state.workers, now=now, future_limit=limit)
            if understood.ignored and self._receiver.others is not None:
                # Of a worker, perhaps, that another receiver has just been told of: 4xx would be its last word.
                await driver.catch_up()
                understood = from_webhook(webhook, driver.state.workers, now=now, future_limit=limit)
            tell(understood)
            if understood.ignored:
                count_ignored(understood.ignored, metrics)
                if not understood.seen:
                    told = reasons(understood.ignored)
                    return 422, {"error": told[0]["reason"], "ignored": told}
            begun = delays(understood.seen, driver.state, now=now)
            state = await driver.deliver(understood.seen, who=holder.name)
            metrics.webhook_taken.set(driver.clock())
            count_taken(understood.seen, begun, metrics)
        return 200, _accepted(understood, state)

    def _admit(self, scope: Scope, asked: dict[bytes, bytes]) -> Holder:
        authorization = asked.get(b"authorization", b"").decode("latin-1")
        client = scope["client"]
        return self._receiver.gate.admit(authorization, SENDERS, address=client[0] if client else "")


def _accepted(understood: Understood, state: State) -> bytes | dict[str, object]:
    accepted, generation = len(understood.seen), state.generation
    if not understood.ignored:  # What comes thousands of times a second.
        return b'{"accepted":%d,"ignored":[],"generation":%d}' % (accepted, generation)
    return {"accepted": accepted, "ignored": reasons(understood.ignored), "generation": generation}
