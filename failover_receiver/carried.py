"""What a request carries: JSON, read by pydantic from its bytes. The framework's own way takes longer: it makes objects of the JSON first."""

import email.message
from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect
from starlette.types import Receive

JSON = "application/json"
Body = TypeVar("Body", bound=BaseModel)


async def carried(receive: Receive, content_type: str, model: type[Body]) -> Body:
    """The body of a request.

    Raises:
        RequestValidationError: it carries none; every fault is in it.
        ClientDisconnect: its sender is gone.

    """
    body = await _whole(receive)
    if not body:
        raise RequestValidationError([{"type": "missing", "loc": ("body",), "msg": "missing", "input": None}])
    if not _is_json(content_type):
        raise RequestValidationError([{"type": "not_json", "loc": ("body",), "msg": "", "input": body}])
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        raise RequestValidationError(
            [{**fault, "loc": ("body", *fault["loc"])} for fault in faults]
        ) from None


def described(schema: dict[str, Any]) -> dict[str, Any]:
    """The same for the OpenAPI description, which the framework cannot see."""
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}}


async def _whole(receive: Receive) -> bytes:
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
