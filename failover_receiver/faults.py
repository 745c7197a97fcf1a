"""Words what pydantic found wrong, for the API and the configuration alike: the field, its value, what would be right."""

from collections.abc import Mapping
from typing import Any

LONGEST = 80
"""Characters of a value that are repeated."""
KINDS = {
    "int": "a whole number was expected",
    "float": "a number was expected",
    "finite": "a number was expected",
    "bool": "true or false was expected",
    "string": "a text was expected",
    "list": "a list was expected",
    "dict": "an object was expected",
    "model": "an object was expected",
    "path": "the name of a file was expected",
    "datetime": "a time was expected, as 2027-01-31T18:00:00Z",
}
"""By what a fault's type begins with."""
WORDED = {
    "greater_than": "more than {gt} was expected",
    "greater_than_equal": "{ge} or more was expected",
    "less_than": "less than {lt} was expected",
    "less_than_equal": "{le} or less was expected",
    "too_short": "{min_length} or more of them were expected",
    "too_long": "{max_length} of them at most were expected",
    "string_too_short": "{min_length} characters or more were expected",
    "string_too_long": "{max_length} characters at most were expected",
    "literal_error": "{expected} was expected",
    "enum": "{expected} was expected",
    "value_error": "{error}",
}
"""By a fault's type, with what pydantic says of it."""


def worded(fault: Mapping[str, Any], *, known: str = "") -> str:
    """One of `ValidationError.errors()`; `known` names the fields that there are, for one that is not."""
    where = ".".join(str(part) for part in fault["loc"])
    kind, value = fault["type"], fault["input"]
    if kind == "missing":
        return f"{where}: is missing"
    if kind == "extra_forbidden":
        return f"{where}: there is no such key{known and f'; known are {known}'}"
    if kind == "json_invalid":
        return f"{where}: is not JSON: {fault.get('ctx', {}).get('error', fault['msg'])}"
    if kind == "secret":  # Not repeated.
        return f"{where}: {fault['msg']}"
    if isinstance(value, bytes):
        return f"{where}: is not taken for JSON: send it with the header `Content-Type: application/json`"
    shown = repr(value)
    return (
        f"{where}: is {shown if len(shown) <= LONGEST else shown[: LONGEST - 3] + '...'}: {_expected(fault)}"
    )


def _expected(fault: Mapping[str, Any]) -> str:
    kind, otherwise = str(fault["type"]), str(fault["msg"])
    if kind in WORDED:
        plain = {
            name: f"{said:.12g}" if isinstance(said, float) else said for name, said in fault["ctx"].items()
        }
        return WORDED[kind].format(**plain)
    return KINDS.get(kind.partition("_")[0], otherwise)
