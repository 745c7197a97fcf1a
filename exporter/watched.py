"""What files say, read anew when one of them changes. A new version that is broken keeps the old one.

They are read and compared whole at every look, as Prometheus's exporter-toolkit does: a few kilobytes cost less than
being wrong about a time stamp.
"""

import hashlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from wgfleet import logs

LOGGER = logging.getLogger("exporter")

Read = Callable[[Path], bytes]
T = TypeVar("T")


def _no_objection(_old: object, _new: object) -> None:
    """Whatever the files say is taken."""


class Watched(Generic[T]):
    """The value that `load` makes of files, which it reads with the function that it is given.

    `load` raises ValueError for files that are wrong; `objection` may refuse to go from one good value to another.
    """

    def __init__(
        self,
        load: Callable[[Read], T],
        *,
        what: str,
        read: Read = Path.read_bytes,
        objection: Callable[[T, T], str | None] = _no_objection,
    ) -> None:
        """Read them now; what is wrong with them is raised. `what` is what the log calls them."""
        self._load = load
        self._read = read
        self._what = what
        self._objection = objection
        self._lock = threading.Lock()
        self._seen: dict[Path, bytes | None] = {}
        self._current = load(self._noting)

    def current(self) -> T:
        """What the files say; while they are wrong, what they said before. The log hears of each change once."""
        with self._lock:
            if any(self._digest(path) != seen for path, seen in self._seen.items()):
                self._renew()
            return self._current

    def _renew(self) -> None:
        self._seen = {}
        try:
            new = self._load(self._noting)
        except ValueError as error:
            why: str | None = str(error)
        else:
            why = self._objection(self._current, new)
            if why is None:
                self._current = new
                logs.say(LOGGER, f"{self._what} read anew")
        if why is not None:
            logs.say(LOGGER, f"{self._what} is wrong, the old one is kept", level=logging.ERROR, why=why)

    def _noting(self, path: Path) -> bytes:
        self._seen[path] = None  # Also of one that cannot be read it is noticed when that changes.
        content = self._read(path)
        self._seen[path] = hashlib.blake2b(content).digest()
        return content

    def _digest(self, path: Path) -> bytes | None:
        try:
            return hashlib.blake2b(self._read(path)).digest()
        except (OSError, ValueError):
            return None
