"""Says which receiver is followed, or why none is, and what to do. Pure."""

from collections.abc import Mapping
from typing import Any

AGAIN = "have an operator make a bundle with --again, then `wgfleet-sync enroll BUNDLE --force`"
WHAT_TO_DO = {
    "it answered 401": f"the token opens nothing there, as one that was revoked: {AGAIN}",
    "it answered 403": f"the token is there for something else: {AGAIN}",
}
"""By how the trouble begins."""


def receiver_lines(status: Mapping[str, Any], width: int, way: str = "") -> list[str]:
    """The lines of a status; `width` is that of its first column, `way` follows a receiver that is followed."""
    trouble: Mapping[str, str] | None = status.get("trouble")
    if status["receiver"]:
        return [f"{'receiver':{width}}{status['receiver']}{way}"]
    # Before the first answer, and the first that fails to come, nobody knows.
    said = "(connecting)" if trouble == {} else "(not connected)"
    lines = [f"{'':{width}}{url}: {_with_hint(error)}" for url, error in (trouble or {}).items()]
    return [f"{'receiver':{width}}{said}", *lines]


def _with_hint(error: str) -> str:
    hints = [hint for begin, hint in WHAT_TO_DO.items() if error.startswith(begin)]
    return "; ".join([" ".join(error.split()), *hints])


def remark_lines(status: Mapping[str, Any], width: int) -> list[str]:
    """What people should know."""
    return [f"{'remark':{width}}{remark}" for remark in status.get("remarks", ())]
