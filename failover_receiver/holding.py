"""One process at a time has the store: a receiver that runs, or a command that must not meet one."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def held(store: Path) -> Iterator[None]:
    """Hold the store as long as this lasts; the kernel lets go of it however the process ends.

    Raises:
        ValueError: another process has it.

    """
    # Not the store itself: SQLite's own locks are lost when any other descriptor of its file is closed. Readable for
    # all who may list the folder: made by root, it must not keep the receiver's user out.
    descriptor = os.open(Path(f"{store}.lock"), os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"{store} is in use by a receiver that runs: stop it first (`systemctl stop wgfleet-receiver`)"
            ) from None
        yield
    finally:
        os.close(descriptor)


def must_be_there(store: Path) -> None:
    """Raise ValueError if there is no store: a new one in its place would begin at a number that clients refuse."""
    if not store.exists():
        raise ValueError(
            f"store: {store} is not there: restore a backup (`wgfleet-receiver restore FILE`), or begin anew with "
            "`wgfleet-receiver init --new-store`"
        )
