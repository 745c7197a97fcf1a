"""A store in one file of SQLite: opened, brought up to date, written in whole transactions."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from failover_receiver.store.database import StoreUnavailableError
from failover_receiver.store.store import Store

BUSY_SECONDS = 2.0
"""How long to wait for another process (a backup, the init command) to let go of the file."""


class SqliteStore(Store):
    """One file of SQLite. Used from one thread at a time: the driver's."""

    def __init__(self, path: Path) -> None:
        """Open the file, making it and bringing its tables up to date where needed."""
        with self.available():
            self._db = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                self._db.execute("PRAGMA journal_mode=WAL")
                # FULL: a commit is on the disk before we answer 2xx. NORMAL would lose the last ones in a power cut.
                self._db.execute("PRAGMA synchronous=FULL")
                _migrate(self._db)
            except BaseException:
                self._db.close()  # Not when somebody collects it: by then the path may name another file.
                raise
        super().__init__()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    @contextmanager
    def available(self) -> Iterator[None]:
        """Whatever SQLite raises within becomes StoreUnavailableError."""
        try:
            yield
        except sqlite3.Error as error:
            raise StoreUnavailableError(
                f"the store failed: {error}; is its disk full or its file locked?"
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is written within, durably, or nothing. To be wrapped in `available`."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # Some failures have ended it already.
                self._db.execute("ROLLBACK")
            raise

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """All that a query finds."""
        with self.available():
            return self._db.execute(query, values).fetchall()


def _migrate(db: sqlite3.Connection) -> None:
    """Run the numbered scripts that this file has not seen."""
    (seen,) = db.execute("PRAGMA user_version").fetchone()
    scripts = sorted(
        (int(entry.name.removesuffix(".sql")), entry.read_text())
        for entry in (resources.files("failover_receiver") / "migrations" / "sqlite").iterdir()
        if entry.name.endswith(".sql")
    )
    if seen > scripts[-1][0]:
        raise StoreUnavailableError(
            f"the store has schema {seen}, this program knows up to {scripts[-1][0]}: use the newer program"
        )
    # For scripts that take JSON apart: SQLite itself may read the last bit of a number otherwise, and ends a text at
    # its first NUL.
    db.create_function("json_items", 2, _items, deterministic=True)
    db.create_function("json_field", 2, _field, deterministic=True)
    db.create_function("json_without", 2, _without, deterministic=True)
    for number, script in scripts:
        if number > seen:
            db.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;")


def _items(body: str, key: str) -> str:
    items = json.loads(body).get(key, {}).items()
    return json.dumps([{**value, "key": name} for name, value in items])


def _field(body: str, key: str) -> Any:
    return json.loads(body).get(key)


def _without(body: str, key: str) -> str:
    return json.dumps({other: value for other, value in json.loads(body).items() if other != key})
