"""Where alerts arrive, as the description of the API has it; intake.py takes them."""

from typing import Any

from fastapi import APIRouter, Request

from failover_receiver.intake import PATH
from failover_receiver.receiver import Receiver
from failover_receiver.routes.documents import REFUSED
from failover_receiver.webhooks import description

ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "Durable, and shown."},
    422: {"description": "Wrong in itself; nothing changed. Sending it again would not help."},
    503: {"description": "The store is not available; nothing changed. Send it again."},
}


def routes(_receiver: Receiver) -> APIRouter:
    """`POST /v1/alerts`."""
    router = APIRouter()

    @router.post(PATH, responses=ANSWERS, openapi_extra=description())
    async def deliver(request: Request) -> dict[str, Any]:
        """Take Alertmanager's webhook. 2xx: durable. 503: try again. 4xx: wrong in itself, nothing changed."""
        refused: Exception = request.scope[REFUSED]
        raise refused

    return router
