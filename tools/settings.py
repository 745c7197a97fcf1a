"""Writes docs/receiver.md: every key of receiver.toml and follower.toml.

`python -m tools.settings > docs/receiver.md`
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from failover_receiver.following.settings import FollowerSettings
from failover_receiver.publishing.places import Place
from failover_receiver.settings import Settings, table_of
from failover_receiver.store.dsn import Dsn

COMMAND = "python -m tools.settings > docs/receiver.md"

HEAD = f"""\
<!-- {COMMAND} -->
# `receiver.toml`

`wgfleet-receiver init` writes one with what must be there. Relative paths count from its own folder. A key that is not in
this table is refused, because it is a misspelt one; so is a value out of its range, and every fault is said at once.

"""

TABLE = """\
| key | default | range | what it is |
|---|---|---|---|
"""

FOLLOWER_HEAD = """
## `follower.toml`

Of `wgfleet-receiver follow`; [followers.md](followers.md) tells how one is set up.

"""


def page() -> str:
    """The whole file."""
    tables = [(_title(name, field), field, table_of(field)) for name, field in Settings.model_fields.items()]
    return (
        HEAD
        + _table(Settings)
        + "".join(
            f"\n## `{title}`\n\n{_meaning(field)} [How it behaves]({table.page}).\n\n{_table(table)}"
            for title, field, table in tables
            if table is not None and issubclass(table, Place)
        )
        + FOLLOWER_HEAD
        + _table(FollowerSettings)
    )


def _title(name: str, field: FieldInfo) -> str:
    """As a file begins the table."""
    return f"[[{name}]]" if isinstance(field.default, list) else f"[{name}]"


def _table(of: type[BaseModel]) -> str:
    return TABLE + "".join(f"{row}\n" for row in _rows(of))


def _meaning(field: FieldInfo) -> str:
    return " ".join((field.description or "").split())


def _rows(of: type[BaseModel]) -> Iterator[str]:
    for name, field in of.model_fields.items():
        if table_of(field) is None:
            yield f"| `{name}` | {_default(field)} | {_range(field)} | {_meaning(field)} |"


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
