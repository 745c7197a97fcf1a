"""Tests of wgfleet/holding.py, with a second process."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wgfleet.holding import held, held_since, is_free

HOLDER = """
import subprocess, sys
from pathlib import Path
from wgfleet.holding import held
with held(Path(sys.argv[1]), otherwise=""):
    # What it starts may outlive it, as a userspace WireGuard does.
    child = subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    print(child.pid, flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(lock: Path) -> Iterator[None]:
    """Another process that has it, and is killed at the end; what it started lives on until then."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        child = int(other.stdout.readline())
        try:
            yield
            other.kill()
            other.wait()
            with held(lock, otherwise=""):
                pass
        finally:
            other.kill()
            os.kill(child, 9)


def test_what_another_process_holds_is_refused_until_it_is_killed(tmp_path: Path) -> None:
    """In the asker's words; nothing is left locked, not even by a child of the one that was killed."""
    lock = tmp_path / "lock"

    with (
        holder(lock),
        pytest.raises(ValueError, match=r"^stop it first$"),
        held(lock, otherwise="stop it first"),
    ):
        pytest.fail("two have it")


def test_since_when_it_is_held_is_known(tmp_path: Path) -> None:
    """By others, and only while it is; asking makes no file."""
    lock = tmp_path / "lock"
    assert held_since(lock) is None
    assert not lock.exists()
    lock.touch()
    os.utime(lock, (1000.0, 1000.0))

    with holder(lock):
        since = held_since(lock)

    assert since is not None
    assert since > 1000.0
    assert held_since(lock) is None


def test_it_is_free_once_somebody_has_had_it_and_nobody_has(tmp_path: Path) -> None:
    """Where nobody ever had it, that is not known."""
    lock = tmp_path / "lock"
    assert not is_free(lock)

    with holder(lock):
        assert not is_free(lock)

    assert is_free(lock)


def test_whoever_only_looks_keeps_nobody_from_having_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have it for a moment."""
    take, looks = fcntl.flock, [BlockingIOError()]

    def flock(descriptor: int, how: int) -> None:
        if looks:
            raise looks.pop()
        take(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)

    with held(tmp_path / "lock", otherwise="taken"):
        assert looks == []
