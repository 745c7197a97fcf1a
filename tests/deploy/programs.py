"""Where Prometheus's and Alertmanager's own programs are: on PATH, or unpacked into the repository's `.parts`."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.lab import programs

REPOSITORY = Path(__file__).parents[2]


def program(name: str) -> str:
    """The program's path. Without it a laptop skips the test, and continuous integration fails."""
    try:
        return programs.program(name)
    except programs.MissingProgramError as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


def output_of(name: str, *arguments: str | Path) -> str:
    """What the program prints, and the test's failure if it exits with an error."""
    run = subprocess.run([program(name), *arguments], check=False, text=True, capture_output=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout
