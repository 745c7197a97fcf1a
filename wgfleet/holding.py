"""One process at a time: a lock on a file, which the kernel lets go of however the process ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def held(lock: Path, *, otherwise: str) -> Iterator[None]:
    """Hold it as long as this lasts; the file's time is when it was taken.

    Raises:
        ValueError: another process has it; the text is `otherwise`.

    """
    # Readable for all who may list the folder: made by root, it must not keep another user out.
    descriptor = os.open(lock, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(otherwise) from None
        with suppress(PermissionError):  # Of another user's file; it is held all the same.
            os.utime(descriptor)
        yield
    finally:
        os.close(descriptor)


def held_since(lock: Path) -> float | None:
    """When the process that holds it took it, in UNIX seconds; None: nobody holds it, or it cannot be read."""
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.fstat(descriptor).st_mtime
    finally:
        os.close(descriptor)  # And with it the lock, should nobody have had it.
    return None
