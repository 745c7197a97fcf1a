"""`wgfleet-sync status --watch`: what the daemon has applied, again whenever it writes that down anew.

A daemon that is away, or is being started again, is what one watches for: it is said once, and the watch goes on.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CLEAR = "\x1b[H\x1b[2J"
"""The cursor home, the screen empty (ECMA-48)."""
STALE_SECONDS = {"worker": 180.0}
OTHERS_STALE_SECONDS = 30.0
"""Three times as long as a daemon leaves the file as it is: a worker's a minute, the others' ten seconds."""


STARTING = "the daemon is starting, and has not said anything yet"
GONE = "no daemon runs: this is what the last one wrote; `systemctl status wgfleet-sync`"


def watch(
    file: Path,
    show: Callable[[dict[str, Any]], None],
    complain: Callable[[str], None],
    *,
    interval: float,
    started: Callable[[], float | None] = lambda: None,
    gone: Callable[[], bool] = lambda: False,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Show the status now and whenever the file changes; looks every so many seconds, until it is interrupted.

    `started` is when the daemon that runs was, if that is known; `gone` whether none runs any more.
    """
    shown = complaint = None
    status: dict[str, Any] = {}
    while True:
        try:
            text, written = file.read_text(), file.stat()
            version = (written.st_ino, written.st_mtime_ns)
            if version != shown:
                status = json.loads(text)
                show(status)
                shown = version
            trouble = stale(status, written.st_mtime, started(), gone=gone(), now=now())
        except FileNotFoundError:
            shown, trouble = None, not_there(file, started())
        except (OSError, ValueError, KeyError) as error:
            trouble = f"{file} cannot be read: {error}"
        if trouble is not None and trouble != complaint:
            complain(trouble)
        complaint = trouble
        sleep(interval)


def not_there(file: Path, started: float | None) -> str:
    """What is to be said where there is no status."""
    return STARTING if started is not None else f"{file} is not there: has `wgfleet-sync run` been started?"


def stale(
    status: dict[str, Any], written: float, started: float | None, *, gone: bool = False, now: float
) -> str | None:
    """What is to be said of a status that the daemon wrote then; None while it may be the present one.

    `started` is when the daemon that runs was, if that is known, `gone` whether none runs any more. All in UNIX seconds.
    """
    if gone:
        return GONE
    if started is not None and written < started:
        return f"{STARTING}: this is what an earlier run wrote last"
    limit = STALE_SECONDS.get(str(status.get("role")), OTHERS_STALE_SECONDS)
    if now - written <= limit:
        return None
    return f"nothing was written for more than {limit:.0f} s: does the daemon run? `systemctl status wgfleet-sync`"
