"""Shows what is applied to whoever asks on this machine: `wgfleet-sync status`, node_exporter, `systemctl status`."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

from client_sync.reached import in_short
from client_sync.textfile import Status, page
from wgfleet.files import write_whole
from wgfleet.logs import say

log = logging.getLogger(__name__)
READABLE = 0o644
"""node_exporter is another user; there is no secret in it."""


class Showing:
    """Its places."""

    def __init__(self, status_file: Path, textfile: Path | None, tell: Callable[[str], None]) -> None:
        """Name the files; `tell` takes one line for people."""
        self._status_file = status_file
        self._textfile = textfile
        self._tell = tell

    def show(self, status: Status) -> None:
        """Bring all of them up to date. One that fails is said, and stops nothing."""
        self._write(self._status_file, json.dumps(status), mode=0o600)
        if self._textfile is not None:
            self._write(self._textfile, page(status), mode=READABLE)
        self._tell(headline(status))

    def _write(self, file: Path, text: str, *, mode: int) -> None:
        try:
            write_whole(file, text.encode(), mode=mode, lasting=False)
        except OSError as error:  # A full disk, say: no reason to stop moving traffic.
            say(log, "status not written", level=logging.ERROR, file=file, error=error)


def headline(status: Status) -> str:
    """One line: who carries the traffic, by what document, heard from where."""
    number = "no peer set yet"
    if status["generation"] is not None:
        number = f"peer set {status['epoch']}.{status['generation']}"
    by = {"stream": "from", "poll": "asked from"}.get(status["heard_by"], "from")
    receiver = in_short(status, by)
    if status.get("role") == "vantage":
        return f"{hearing(status)} answer; {number}, {receiver}"
    return f"{status['active'] or 'no worker'} active; {number}, {receiver}"


def hearing(status: Status) -> str:
    """How many of the workers that may be used answered when they were asked last."""
    asked = [worker for worker in status["workers"].values() if worker["state"] != "banned"]
    return f"{sum(worker['misses'] == 0 for worker in asked)} of {len(asked)} workers"
