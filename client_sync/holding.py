"""One daemon at a time has the state directory, and with it the interface: two would undo each other's work."""

from contextlib import AbstractContextManager
from pathlib import Path

from wgfleet import holding

LOCK = "lock"
"""In the state directory."""
RUNS = (
    "`wgfleet-sync run` runs with this configuration already: stop it first (`systemctl stop wgfleet-sync`)"
)


def held(state_directory: Path, *, otherwise: str = RUNS) -> AbstractContextManager[None]:
    """Hold it as long as this lasts; the folder is made if need be.

    Raises:
        ValueError: a daemon has it; the text is `otherwise`.

    """
    state_directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    return holding.held(state_directory / LOCK, otherwise=otherwise)


def runs_since(state_directory: Path) -> float | None:
    """When the daemon that runs was started, in UNIX seconds; None: none runs, or that cannot be told."""
    return holding.held_since(state_directory / LOCK)


def is_gone(state_directory: Path) -> bool:
    """Whether a daemon ran here and none does now; if that cannot be told, no."""
    return holding.is_free(state_directory / LOCK)
