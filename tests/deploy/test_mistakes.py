"""Every mistake that `wgfleet render --check` knows, planted alone: it is found, in its line, and nothing else is."""

from pathlib import Path

import pytest

from tests.deploy.checking import planted
from tests.timelines import must_hold

MISTAKES = sorted((Path(__file__).parent / "mistakes").glob("*.txt"))


class Mistakes:
    """Plants one mistake after another, each in files that are right otherwise."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._file = ""
        self._texts: dict[str, list[str]] = {}

    def run(self, command: str) -> None:
        """Take a line of what is there or of what shall be, or check it."""
        sign, _, text = command.partition(" ")
        if sign == "in":
            self._file, self._texts = text, {"-": [], "+": []}
        elif command == "check":
            self.said = planted(self._file, *("\n".join(lines) for lines in self._texts.values()))
        else:
            self._texts[sign].append(text)


@pytest.mark.parametrize("file", MISTAKES, ids=lambda file: file.stem)
def test_mistakes(file: Path) -> None:
    """
    Each mistake is found where it stands, with what would be right, and nothing else is.
    """
    must_hold(file, Mistakes())
