"""Reads Alertmanager's webhooks. The framework's own way takes longer: it makes objects of the JSON first."""

import email.message
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from failover_receiver.alerts import Webhook, WebhookAlert

JSON = "application/json"


async def read(receive: Receive, content_type: str) -> Webhook:
    """The webhook that a request carries.

    Raises:
        RequestValidationError: it carries none; every fault is in it.
        ClientDisconnect: it is gone.

    """
    body = await _body(receive)
    if not body:
        raise RequestValidationError([{"type": "missing", "loc": ("body",), "msg": "missing", "input": None}])
    if not _is_json(content_type):
        raise RequestValidationError([{"type": "not_json", "loc": ("body",), "msg": "", "input": body}])
    try:
        return Webhook.model_validate_json(body)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        raise RequestValidationError(
            [{**fault, "loc": ("body", *fault["loc"])} for fault in faults]
        ) from None


def description() -> dict[str, Any]:
    """The same for the OpenAPI description, which the framework cannot see."""
    schema = Webhook.model_json_schema()
    del schema["$defs"]  # They would count from the description's own root.
    schema["properties"]["alerts"]["items"] = WebhookAlert.model_json_schema()
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}}


async def _body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body", False):
        parts = [body]
        while message.get("more_body", False):
            message = await receive()
            parts.append(message.get("body", b""))
        body = b"".join(parts)
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return body


def _is_json(content_type: str) -> bool:
    if content_type == JSON:
        return True
    parsed = email.message.Message()
    parsed["content-type"] = content_type
    kind = parsed.get_content_type()
    return kind == JSON or (kind.startswith("application/") and kind.endswith("+json"))
