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


def watch(
    file: Path,
    show: Callable[[dict[str, Any]], None],
    complain: Callable[[str], None],
    *,
    interval: float,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Show the status now and whenever the file changes; looks every so many seconds, until it is interrupted."""
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
            trouble = stale(status, now() - written.st_mtime)
        except FileNotFoundError:
            shown, trouble = None, f"{file} is not there: has `wgfleet-sync run` been started?"
        except (OSError, ValueError, KeyError) as error:
            trouble = f"{file} cannot be read: {error}"
        if trouble is not None and trouble != complaint:
            complain(trouble)
        complaint = trouble
        sleep(interval)


def stale(status: dict[str, Any], age: float) -> str | None:
    """What is to be said of a status that the daemon wrote so many seconds ago; None while it may be the present one."""
    limit = STALE_SECONDS.get(str(status.get("role")), OTHERS_STALE_SECONDS)
    if age <= limit:
        return None
    return f"nothing was written for more than {limit:.0f} s: does the daemon run? `systemctl status wgfleet-sync`"
