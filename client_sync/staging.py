"""Several files that are written together: everything that can fail is done before the first of them is seen."""

import contextlib
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self


class Staged:
    """Files beside where they shall be, readable by their owner alone. Those that are not put are gone at the end."""

    def __init__(self, directory: Path) -> None:
        """Say where they shall be. Raises OSError, as all of it does."""
        self._directory = directory
        self._waiting: dict[str, Path] = {}

    def __enter__(self) -> Self:
        """Begin with nothing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing behind."""
        for file in self._waiting.values():
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)

    def write(self, name: str, content: bytes) -> Path:
        """Write a file, anew if need be; where it waits."""
        if name not in self._waiting:
            descriptor, temporary = tempfile.mkstemp(dir=self._directory, prefix=f".{name}.")
            os.close(descriptor)
            self._waiting[name] = Path(temporary)
        file = self._waiting[name]
        # Not emptied first: what was reserved stays ours on a disk that is full.
        with file.open("r+b") as opened:
            opened.write(content)
            opened.truncate()
            opened.flush()
            os.fsync(opened.fileno())
        return file

    def put(self) -> list[Path]:
        """Let them be seen, in the order in which they were written; return where they are."""
        placed = []
        for name, file in list(self._waiting.items()):
            placed.append(file.replace(self._directory / name))
            del self._waiting[name]
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)  # Or the new names may be lost in a power cut.
        finally:
            os.close(directory)
        return placed
