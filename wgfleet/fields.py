"""Reads the fields of a JSON document, and says exactly where it is wrong."""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

LARGEST = sys.float_info.max
"""JSON knows no limit, and Python reads NaN and Infinity too: no time is any of these."""

T = TypeVar("T")


class DocumentError(ValueError):
    """A document that cannot be used; the text names the field, its value and what would be right."""


_REQUIRED: Any = object()


class Fields:
    """Reads fields of a JSON object, and says where it stands when one is wrong."""

    def __init__(self, where: str, entry: object) -> None:
        if not isinstance(entry, Mapping):
            raise DocumentError(f"{where} is {type(entry).__name__}, expected an object")
        self.where = where
        self._entry = entry

    def get(
        self, field: str, kind: type[T], *, default: Any = _REQUIRED, check: Callable[[T], T] | None = None
    ) -> T:
        value = self._entry.get(field, default)
        if value is _REQUIRED:
            raise DocumentError(f"{self.where} has no field {field!r}")
        if value is default:
            return cast("T", value)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise DocumentError(f"{self.where}: {field} is {value!r}, expected {kind.__name__}")
        try:
            return value if check is None else check(value)
        except ValueError as error:
            raise DocumentError(f"{self.where}: {field}: {error}") from None

    def number(self, field: str) -> float:
        value = self._entry.get(field)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST:
            raise DocumentError(f"{self.where}: {field} is {value!r}, expected a number")
        return float(value)

    def texts(self, field: str, check: Callable[[str], str], *, default: Any = _REQUIRED) -> tuple[str, ...]:
        values = self.get(field, list, default=list(default) if default is not _REQUIRED else default)
        if not all(isinstance(value, str) for value in values):
            raise DocumentError(f"{self.where}: {field} is {values!r}, expected a list of strings")
        try:
            return tuple(check(value) for value in values)
        except ValueError as error:
            raise DocumentError(f"{self.where}: {field}: {error}") from None

    def must_be(self, field: str, value: str | int) -> None:
        got = self._entry.get(field)
        if type(got) is not type(value) or got != value:  # To Python, true is 1.
            raise DocumentError(f"{self.where}: {field} is {got!r}, expected {value!r}")


def opened(payload: bytes, what: str, *, kind: str, form: int, fleet: str) -> Fields:
    """The fields of a document, which must be of this type, format and fleet. Raises DocumentError."""
    try:
        parsed = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"the {what} is not JSON: {error}") from None
    fields = Fields(what, parsed)
    fields.must_be("type", kind)
    fields.must_be("format", form)
    fields.must_be("fleet", fleet)
    return fields
