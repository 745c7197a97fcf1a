"""Where Prometheus's and Alertmanager's own programs are: on PATH, or unpacked into the repository's `.parts`."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PARTS = REPOSITORY / ".parts" / "usr" / "bin"


def program(name: str) -> str:
    """The program's path. Without it a laptop skips the test, and continuous integration fails."""
    path = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), str(PARTS))))
    if path is not None:
        return path
    reason = f"{name} is neither on PATH nor in {PARTS}: run tools/parts.sh"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def output_of(name: str, *arguments: str | Path) -> str:
    """What the program prints, and the test's failure if it exits with an error."""
    run = subprocess.run([program(name), *arguments], check=False, text=True, capture_output=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout
