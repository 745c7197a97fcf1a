"""What a daemon logged, as it is written: JSON, a line a happening."""

import json
from pathlib import Path
from typing import Any

from tests.lab.waiting import wait_until

Line = dict[str, Any]


class Journal:
    """One daemon's log file, over all its lives."""

    def __init__(self, log: Path) -> None:
        """Name the file; it need not be there yet."""
        self._log = log

    def lines(self, event: str | None = None, *, since: float = 0.0, **facts: object) -> list[Line]:
        """All lines of that event since then (UNIX seconds) which have these facts, oldest first."""
        return [
            line
            for line in self._all()
            if event in (None, line.get("event"))
            and line["time"] >= since
            and all(line.get(key) == value for key, value in facts.items())
        ]

    def wait_for(self, event: str, *, timeout: float, since: float = 0.0, **facts: object) -> Line:
        """The first such line, once it is there."""

        def found() -> Line | None:
            return next(iter(self.lines(event, since=since, **facts)), None)

        wanted = " ".join(f"{key}={value}" for key, value in facts.items())
        return wait_until(found, timeout, f"{event!r} {wanted} in {self._log.name}")

    def _all(self) -> list[Line]:
        if not self._log.exists():
            return []
        lines = []
        for text in self._log.read_text(errors="replace").splitlines():
            try:
                line = json.loads(text)
            except ValueError:  # Half written, or a traceback: it comes, or it is not for us.
                continue
            if isinstance(line, dict) and "time" in line:
                lines.append(line)
        return lines
