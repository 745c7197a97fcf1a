"""The operator's command, run as an operator would."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[str]]


def operating(url: str, directory: Path, *words: str, columns: int | None = 150) -> Run:
    """`wgfleet WORDS…` against the receiver at this URL, whose folder has the operator's token; on a wide terminal.

    Without `columns` it is in a pipe, of which nobody says how wide it is.
    """
    environment = {
        **os.environ,
        "WGFLEET_RECEIVER": url,
        "WGFLEET_TOKEN_FILE": str(directory / "operator.token"),
        "COLUMNS": str(columns),
    }
    if columns is None:
        del environment["COLUMNS"]

    def run(*more: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "wgfleet.cli", *words, *map(str, more)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run
