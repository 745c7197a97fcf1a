"""What an operator added to sync.toml stays there when the machine is enrolled again. Pure."""

import json
import tomllib
from collections.abc import Mapping
from typing import Any

ENROLMENTS = frozenset(
    [
        "fleet",
        "name",
        "role",
        "interface",
        "receivers",
        "token_file",
        "trusted_keys",
        "state_directory",
        "layout",
        "private_key_file",
        "addresses",
        "firewall_mark",
        "ca_file",
    ]
)
"""The keys that are an enrolment's to say."""


def added(earlier: bytes, role: str) -> dict[str, Any]:
    """What stands in an earlier sync.toml beside an enrolment's keys; of another role, or broken, nothing."""
    try:
        said = tomllib.loads(earlier.decode())
    except ValueError:
        return {}
    if said.get("role", "client") != role:
        return {}
    return {key: value for key, value in said.items() if key not in ENROLMENTS}


def lines(said: Mapping[str, Any]) -> list[str]:
    """As TOML; tables last, as they must be."""
    tables = {key: value for key, value in said.items() if isinstance(value, dict)}
    plain = [_line(key, value) for key, value in said.items() if key not in tables]
    for name, table in tables.items():
        plain += [f"[{name}]", *(_line(key, value) for key, value in table.items())]
    return plain


def _line(key: str, value: object) -> str:
    return f"{key} = {json.dumps(value, ensure_ascii=False)}"
