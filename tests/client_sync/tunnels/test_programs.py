"""Tests of client_sync/tunnels/programs.py: programs of others, that end, fail, hang, or leave something running."""

import os
import signal
from pathlib import Path

import pytest

from client_sync.tunnels.programs import LayoutError, run_unheard

SECONDS = 20.0


def shell(script: str) -> list[str]:
    """As `restart_command` may have it."""
    return ["/bin/sh", "-c", script]


def is_running(noted: Path) -> bool:
    """Whether the process with this number runs."""
    stat = Path(f"/proc/{noted.read_text().strip()}/stat")
    return stat.exists() and stat.read_text().split()[2] != "Z"


def test_what_a_program_leaves_running_is_not_waited_for_and_stays(tmp_path: Path) -> None:
    """A WireGuard in userspace, say, which holds on to what it could print to."""
    child = tmp_path / "child"

    run_unheard(shell(f"sleep 1000 & echo $! > {child}"), seconds=SECONDS)

    assert is_running(child)
    os.kill(int(child.read_text()), signal.SIGKILL)


def test_a_program_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    """Or each attempt of a night would leave one more."""
    child = tmp_path / "child"

    with pytest.raises(LayoutError, match=r"sleep 1000.* could not be run: .* timed out after 0\.3 seconds"):
        run_unheard(shell(f"sleep 1000 & echo $! > {child}; wait"), seconds=0.3)

    assert not is_running(child)


def test_a_program_that_fails_is_said() -> None:
    """What it printed is not known."""
    with pytest.raises(LayoutError, match="failed with 3: run it by hand to see why"):
        run_unheard(shell("exit 3"), seconds=SECONDS)


def test_a_program_that_is_not_there_is_said() -> None:
    """By its name."""
    with pytest.raises(LayoutError, match="`/no/such/program` could not be run"):
        run_unheard(["/no/such/program"], seconds=SECONDS)
