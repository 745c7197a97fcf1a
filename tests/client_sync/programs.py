"""Programs that note how they are called, in front of the real ones."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest


@dataclass
class Programs:
    """A folder at the front of the way that programs are looked for in."""

    directory: Path

    @classmethod
    def before_the_real(cls, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Self:
        """Have them found first."""
        monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
        return cls(directory)

    def __call__(self, *names: str, fails: str = "none") -> None:
        """Put these there; those called with what `fails` says fail."""
        for name in names:
            (self.directory / name).write_text(
                f'#!/bin/sh\necho "{name} $*" >> {self.directory}/calls\n'
                f'case "{name} $*" in *{fails}*) echo "not here" >&2; exit 2;; esac\n'
            )
            (self.directory / name).chmod(0o755)


def called(directory: Path) -> list[str]:
    """What was called, in order."""
    return (directory / "calls").read_text().splitlines()
