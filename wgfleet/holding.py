"""One process at a time: a lock on a file, which the kernel lets go of however the process ends."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOOKS, LOOK_SECONDS = 5, 0.02
"""Whoever only looks has the lock for some microseconds: that must not keep a process from starting."""


@contextmanager
def held(lock: Path, *, otherwise: str) -> Iterator[None]:
    """Hold it as long as this lasts; the file's time is when it was taken.

    Raises:
        ValueError: another process has it; the text is `otherwise`.

    """
    # Readable for all who may list the folder: made by root, it must not keep another user out.
    descriptor = os.open(lock, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _take(descriptor, otherwise)
        with suppress(PermissionError):  # Of another user's file; it is held all the same.
            os.utime(descriptor)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, otherwise: str) -> None:
    for _ in range(LOOKS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOOK_SECONDS)
        else:
            return
    raise ValueError(otherwise)


def is_free(lock: Path) -> bool:
    """Whether a process held it once, and none does now; if that cannot be told, no."""
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)  # And with it the lock.
    return True


def held_since(lock: Path) -> float | None:
    """When the process that holds it took it, in UNIX seconds; None: nobody holds it, or it cannot be read."""
    try:
        return None if is_free(lock) else lock.stat().st_mtime
    except OSError:
        return None
