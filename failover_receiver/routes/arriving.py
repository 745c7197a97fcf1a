"""Where alerts and acks arrive, as the description of the API has it; intake.py takes them."""

from typing import Any

from fastapi import APIRouter, Request

from failover_receiver import acking, webhooks
from failover_receiver.receiver import Receiver
from failover_receiver.routes.documents import REFUSED

ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "Durable, and shown."},
    422: {"description": "Wrong in itself; nothing changed. Sending it again would not help."},
    503: {"description": "The store is not available; nothing changed. Send it again."},
}


def routes(_receiver: Receiver) -> APIRouter:
    """`POST /v1/alerts` and `POST /v1/acks`."""
    router = APIRouter()

    @router.post(webhooks.PATH, responses=ANSWERS, openapi_extra=webhooks.description())
    async def deliver(request: Request) -> dict[str, Any]:
        """Take Alertmanager's webhook. 2xx: durable. 503: try again. 4xx: wrong in itself, nothing changed."""
        raise _refused(request)

    @router.post(acking.PATH, status_code=acking.TAKEN, openapi_extra=acking.description())
    async def ack(request: Request) -> None:
        """Remember what the caller has applied."""
        raise _refused(request)

    return router


def _refused(request: Request) -> Exception:
    refused: Exception = request.scope[REFUSED]
    return refused
