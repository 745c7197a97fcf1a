"""What GET /openapi.json says beyond what the framework knows: how one is let in, and how one is refused."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

SCHEME = "token"
REFUSALS = {
    "401": "No token, or one that opens nothing.",
    "403": "The token's role may not ask this.",
    "413": "The body is too long.",
    "422": "Wrong in itself; the text names every fault.",
    "429": "Too many wrong tokens came from this address: see Retry-After.",
    "503": "The store is not available; nothing changed. Ask again: see Retry-After.",
}
OF_BODIES = {"400": "The body is not even text."}
OF_NAMES = {"404": "There is nothing of that name."}
OF_WRITES = {"409": "Refused as things are; nothing changed."}
OPEN = frozenset({"/livez", "/readyz", "/v1/enrol"})
"""Asked without a token."""

Json = dict[str, Any]


def describe(app: FastAPI) -> Json:
    """The whole description; the framework keeps it."""
    if app.openapi_schema is None:
        said = get_openapi(title=app.title, version=app.version, routes=app.routes)
        parts = said.setdefault("components", {})
        parts["securitySchemes"] = {SCHEME: {"type": "http", "scheme": "bearer"}}
        parts.setdefault("schemas", {})["Refusal"] = {
            "type": "object",
            "properties": {"error": {"type": "string"}},
            "required": ["error"],
        }
        for path, operations in said["paths"].items():
            for method, operation in operations.items():
                _complete(path, method, operation)
        app.openapi_schema = said
    return app.openapi_schema


def _complete(path: str, method: str, operation: Json) -> None:
    operation["security"] = [] if path in OPEN else [{SCHEME: []}]
    refusals = dict(REFUSALS)
    for more, applies in (
        (OF_BODIES, "requestBody" in operation),
        (OF_NAMES, "{" in path),
        (OF_WRITES, method != "get"),
    ):
        refusals |= more if applies else {}
    answers: Json = operation["responses"]
    for status in {*refusals, *(one for one in answers if one >= "400")}:
        said = answers.get(status, {}).get("description")
        usual = said is None or status == "422"  # The framework's own words for it are not ours.
        answers[status] = {
            "description": refusals.get(status, "") if usual else said,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}},
        }
