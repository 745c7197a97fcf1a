"""One process at a time has the store: a receiver that runs, or a command that must not meet one."""

from contextlib import AbstractContextManager
from pathlib import Path

from wgfleet import holding


def held(store: Path) -> AbstractContextManager[None]:
    """Hold the store as long as this lasts.

    Raises:
        ValueError: another process has it.

    """
    # Not the store itself: SQLite's own locks are lost when any other descriptor of its file is closed.
    return holding.held(
        Path(f"{store}.lock"),
        otherwise=f"{store} is in use by a receiver that runs: stop it first (`systemctl stop wgfleet-receiver`)",
    )


def must_be_there(store: Path) -> None:
    """Raise ValueError if there is no store: a new one in its place would begin at a number that clients refuse."""
    if not store.exists():
        raise ValueError(
            f"store: {store} is not there: restore a backup (`wgfleet-receiver restore FILE`), or begin anew with "
            "`wgfleet-receiver init --new-store`"
        )
