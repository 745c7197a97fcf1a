"""What people should know though nothing is wrong: it stands in the status for as long as it is so, and once in the log."""

import logging
import shlex
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from client_sync.config import Config
from wgfleet.logs import say

log = logging.getLogger(__name__)


class Remarks:
    """Asked for anew each time that the status is told."""

    def __init__(self, *sources: Callable[[], Sequence[str]]) -> None:
        """Take whatever has any."""
        self._sources = sources
        self._said: frozenset[str] = frozenset()

    def __call__(self) -> list[str]:
        """Those of now."""
        found = [remark for source in self._sources for remark in source()]
        for remark in found:
            if remark not in self._said:
                say(log, "attention", level=logging.WARNING, remark=remark)
        self._said = frozenset(found)
        return found


def open_secrets(config: Config) -> list[str]:
    """Each secret that lies open. It is used all the same: refused, it would stop fleets that run."""
    return [
        f"{file} may be read by others (its mode is {mode:04o}): `chmod 600 {shlex.quote(str(file))}`"
        for file in _secrets(config)
        if (mode := _mode(file)) & (stat.S_IRWXG | stat.S_IRWXO)
    ]


def _secrets(config: Config) -> Iterator[Path]:
    broker = config.mqtt
    files = (
        config.token_file if config.receivers else None,
        config.private_key_file,
        config.proxy_credentials_file,
        None if broker is None else broker.password_file,
        None if broker is None else broker.key_file,
    )
    yield from (file for file in files if file is not None)


def _mode(file: Path) -> int:
    try:
        return stat.S_IMODE(file.stat().st_mode)
    except OSError:  # Whoever needs it says so.
        return 0
