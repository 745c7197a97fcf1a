"""Writes docs/receiver.md: every key of receiver.toml.

`python -m tools.settings > docs/receiver.md`
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from failover_receiver.settings import Settings
from failover_receiver.store.dsn import Dsn

COMMAND = "python -m tools.settings > docs/receiver.md"

HEAD = f"""\
<!-- {COMMAND} -->
# `receiver.toml`

`wgfleet-receiver init` writes one with what must be there. Relative paths count from its own folder. A key that is not in
this table is refused, because it is a misspelt one; so is a value out of its range, and every fault is said at once.

| key | default | range | what it is |
|---|---|---|---|
"""


def page() -> str:
    """The whole file."""
    return HEAD + "".join(f"{row}\n" for row in _rows())


def _rows() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        meaning = " ".join((field.description or "").split())
        yield f"| `{name}` | {_default(field)} | {_range(field)} | {meaning} |"


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "must be said"
    return "-" if field.default is None else f"`{json.dumps(field.default)}`"


def _range(field: FieldInfo) -> str:
    limits: dict[str, Any] = {}
    for one in field.metadata:
        limits |= {word: getattr(one, word) for word in ("gt", "ge", "le") if hasattr(one, word)}
    if not limits:
        return "a file" if field.annotation in (Path, Path | None, Path | Dsn) else ""
    least = f"from {limits['ge']:g}" if "ge" in limits else f"more than {limits['gt']:g}"
    return f"{least} to {limits['le']:g}"


if __name__ == "__main__":
    sys.stdout.write(page())
