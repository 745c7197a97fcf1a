"""How a change reaches the interface, and what the configuration must say with it. Pure."""

from collections.abc import Mapping
from enum import StrEnum

RESTART_ONLY = ("restart_command", "wg_quick_file")
"""The keys that mean something with apply = "restart" only."""


class Apply(StrEnum):
    """How a change reaches the interface of the layout single."""

    LIVE = "live"
    """By one `wg set`: nothing is interrupted."""
    RESTART = "restart"
    """By wg-quick's file and a restart, for where nothing else works."""


def apply_faults(values: Mapping[str, object], *, single: bool) -> list[str]:
    """What does not go together with how changes are applied."""
    if values.get("apply") is not Apply.RESTART:
        return [f'{key}: is for apply = "restart" only' for key in RESTART_ONLY if key in values]
    faults = []
    if not single:
        faults.append("apply: is 'restart': with layout = \"per-worker\" there is no file of wg-quick's")
    if "private_key_file" in values:
        faults.append(
            "apply: is 'restart': an interface that the daemon makes needs none, leave private_key_file out"
        )
    if "kill_switch" not in values:
        faults.append(
            'kill_switch: is missing, with apply = "restart": between down and up traffic goes out in clear; true holds it '
            "back, false lets it"
        )
    return faults
