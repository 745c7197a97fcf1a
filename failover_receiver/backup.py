"""Copies of the store, made while a receiver runs. They hold digests of tokens, and no key."""

import os
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from failover_receiver.holding import must_be_there


@dataclass(frozen=True, slots=True)
class Copied:
    """What a store or a copy of it holds."""

    schema: int
    fleet: str | None
    """None: no receiver has ever run on it."""
    epoch: int
    """The highest that it knows."""
    generation: int
    events: int

    @property
    def number(self) -> str:
        """As it is shown elsewhere."""
        return f"{self.epoch}.{self.generation}"


def back_up(store: Path, file: Path) -> Copied:
    """Write a copy of the store as it is at one moment; whoever writes to it meanwhile does not wait.

    Raises:
        ValueError: there is no store, the file is there already or cannot be written, or the copy is not sound.

    """
    must_be_there(store)
    if file.exists():
        raise ValueError(f"{file} is already there: choose another name, backups are not overwritten")
    try:
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # For its owner's eyes.
    except OSError as error:
        raise ValueError(
            f"{file} cannot be written: {error.strerror}; name a file in a folder that this user may write to"
        ) from None
    os.close(descriptor)
    partial = Path(name)
    try:
        copy(store, partial)
        copied = inspect(partial)
        os.link(partial, file)  # Not a rename: that would overwrite what came there meanwhile.
    except FileExistsError:
        raise ValueError(
            f"{file} is already there: choose another name, backups are not overwritten"
        ) from None
    finally:
        partial.unlink()
    sync(file.parent)
    return copied


def copy(source: Path, target: Path) -> None:
    """Copy a database, with what is still in its write-ahead log, into one file."""
    try:
        with (
            closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=rw", uri=True)) as whence,
            closing(sqlite3.connect(target)) as whither,
        ):
            whence.backup(whither)  # In one go: it reads a snapshot, so no write makes it begin again.
            whither.execute("PRAGMA journal_mode=DELETE")  # One file, without a log beside it.
    except sqlite3.Error as error:
        raise ValueError(f"{source} cannot be copied: {error}") from None
    sync(target)


def inspect(file: Path) -> Copied:
    """What a copy holds.

    Raises:
        ValueError: it is not sound, or no store of a receiver.

    """
    try:
        file.open("rb").close()  # SQLite would not say why it cannot.
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}; name what `backup` made") from None
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as db:
            ((verdict,), *_) = db.execute("PRAGMA integrity_check").fetchall()
            if verdict != "ok":
                raise ValueError(f"{file} is damaged: {verdict}; take another backup")
            return _read(db)
    except sqlite3.Error as error:
        raise ValueError(f"{file} is no store of a receiver: {error}") from None


def _read(db: sqlite3.Connection) -> Copied:
    (schema,) = db.execute("PRAGMA user_version").fetchone()
    rows = db.execute(
        "SELECT json_extract(body, '$.fleet'), json_extract(body, '$.epoch'), json_extract(body, '$.generation')"
        " FROM state"
    ).fetchall()
    fleet, epoch, generation = rows[0] if rows else (None, 0, 0)
    (published,) = db.execute("SELECT coalesce(max(epoch), 0) FROM documents").fetchone()
    (events,) = db.execute("SELECT count(*) FROM events").fetchone()
    return Copied(schema, fleet, max(epoch, published), generation, events)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
