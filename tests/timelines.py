"""Stories as files: commands, then `----` and what happened, to the next empty line. Rewritable, reviewed as diffs."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

REWRITE = "WGFLEET_REWRITE"
"""Set this variable, and every story is written anew with what happens now."""


class Teller(Protocol):
    """Plays a story."""

    said: list[str]
    """What has happened since it was last asked."""

    def run(self, command: str) -> None:
        """Carry out one line."""


def timelines(folder: Path) -> list[Path]:
    """The stories in `timelines` of this folder."""
    files = sorted((folder / "timelines").glob("*.txt"))
    assert files, f"no stories in {folder / 'timelines'}"
    return files


def must_hold(file: Path, teller: Teller) -> None:
    """Fail if the story is not what happens; or write it anew, if that is asked for."""
    text = file.read_text()
    now = _told(text, teller)
    if os.environ.get(REWRITE):
        file.write_text(now)
    assert text == now


def _told(text: str, teller: Teller) -> str:
    lines: list[str] = []
    for line in _commands(text):
        if line == "----":
            lines += ["----", *(teller.said or ["nothing"])]
            teller.said.clear()
        else:
            lines.append(line)
            if line and not line.startswith("#"):
                teller.run(line)
    return "\n".join(lines) + "\n"


def _commands(text: str) -> Iterator[str]:
    """The lines without what happened."""
    result = False
    for line in text.splitlines():
        if line == "":
            result = False
        if not result:
            yield line
        result = result or line == "----"
