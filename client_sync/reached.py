"""Says which receiver is followed, or why none is, and what to do. Pure."""

import json
from collections.abc import Mapping
from typing import Any

AGAIN = "have an operator make a bundle (`wgfleet {role} enrol NAME --again`), then `wgfleet-sync enroll BUNDLE --force`"
WHAT_TO_DO = {
    "it answered 401": "the token opens nothing there, as one that was revoked",
    "it answered 403": "the token is there for something else",
}
"""By how the trouble begins."""


def receiver_lines(status: Mapping[str, Any], width: int, way: str = "") -> list[str]:
    """The lines of a status; `width` is that of its first column, `way` follows a receiver that is followed."""
    trouble: Mapping[str, str] | None = status.get("trouble")
    if status["receiver"]:
        return [f"{'receiver':{width}}{status['receiver']}{way}"]
    # Before the first answer, and the first that fails to come, nobody knows.
    said = "(connecting)" if trouble == {} else "(not connected)"
    role = status.get("role", "client")
    lines = [f"{'':{width}}{url}: {_said(error, role)}" for url, error in (trouble or {}).items()]
    return [f"{'receiver':{width}}{said}", *lines]


def in_short(status: Mapping[str, Any], by: str = "from") -> str:
    """The receiver that is followed, `by` which way, or that none is."""
    if status["receiver"]:
        return f"{by} {status['receiver']}"
    denied = any(error.startswith(tuple(WHAT_TO_DO)) for error in status.get("trouble", {}).values())
    return "no receiver lets it in" if denied else "no receiver reached"


def remark_lines(status: Mapping[str, Any], width: int) -> list[str]:
    """What people should know."""
    return [f"{'remark':{width}}{remark}" for remark in status.get("remarks", ())]


def _said(error: str, role: str) -> str:
    """In the receiver's own words, if it has any, and what to do."""
    hints = [
        f"{hint}: {AGAIN.format(role=role)}" for begin, hint in WHAT_TO_DO.items() if error.startswith(begin)
    ]
    return "; ".join([" ".join(_plain(error).split()), *hints])


def _plain(error: str) -> str:
    begin, _, body = error.partition(": ")
    try:
        return f"{begin}: {json.loads(body)['error']}"
    except (ValueError, KeyError, TypeError):  # Somebody else's words, who may stand before it.
        return error
