"""Texts as PostgreSQL can keep them: it has no NUL, and an alert's label may. What is written so is read back as it was."""

from collections.abc import Sequence
from typing import Any

ESCAPE, NUL = "\x01", "\x00"


def as_kept(values: Sequence[object]) -> list[object]:
    """A row's values, with no NUL in a text."""
    return [_kept(value) if isinstance(value, str) else value for value in values]


def as_said(row: Sequence[Any]) -> tuple[Any, ...]:
    """A row as it was before."""
    if any(isinstance(value, str) and ESCAPE in value for value in row):
        return tuple(_said(value) if isinstance(value, str) else value for value in row)
    return tuple(row)


def _kept(text: str) -> str:
    if NUL not in text and ESCAPE not in text:
        return text
    return text.replace(ESCAPE, ESCAPE + "1").replace(NUL, ESCAPE + "0")


def _said(text: str) -> str:
    return text.replace(ESCAPE + "0", NUL).replace(ESCAPE + "1", ESCAPE)
