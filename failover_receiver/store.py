"""Keeps state, documents, events and tokens in SQLite. What `save` has returned from survives a power cut."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter

from failover_receiver.state import Decided, State

_STATE = TypeAdapter(State)
BUSY_SECONDS = 2.0
"""How long to wait for another process (a backup, the init command) to let go of the file."""


class StoreUnavailableError(RuntimeError):
    """Nothing was kept. Whoever asked may ask again."""


@dataclass(frozen=True, slots=True)
class Document:
    """A signed document as it is sent."""

    type: str
    epoch: int
    generation: int
    body: bytes


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """One decision of the past."""

    at: float
    who: str
    worker: str
    before: str | None
    after: str | None
    reason: str
    epoch: int
    generation: int


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token's holder and role; the token itself is kept only as its SHA-256."""

    name: str
    role: str
    digest: str
    created_at: float


class Store(Protocol):
    """What the driver needs kept. Every method raises StoreUnavailableError if it cannot."""

    def load(self) -> State | None: ...
    def save(
        self, state: State, document: Document | None, decided: Sequence[Decided], *, at: float, who: str
    ) -> None: ...
    def document(self, kind: str) -> Document | None: ...
    def events(self, limit: int) -> list[HistoryEvent]: ...
    def tokens(self) -> list[StoredToken]: ...
    def add_token(self, token: StoredToken) -> None: ...
    def remove_token(self, name: str) -> bool: ...


class SqliteStore:
    """One file. Used from one thread at a time: the driver's."""

    def __init__(self, path: Path) -> None:
        """Open the file, making it and bringing its tables up to date where needed."""
        with _available():
            self._db = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA journal_mode=WAL")
            # FULL: a commit is on the disk before we answer 2xx. NORMAL would lose the last ones in a power cut.
            self._db.execute("PRAGMA synchronous=FULL")
            _migrate(self._db)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def load(self) -> State | None:
        """The state last saved; None in a new file."""
        with _available():
            row = self._db.execute("SELECT body FROM state WHERE id = 1").fetchone()
        return None if row is None else _STATE.validate_json(row[0])

    def save(
        self, state: State, document: Document | None, decided: Sequence[Decided], *, at: float, who: str
    ) -> None:
        """Keep state, document and decisions together or not at all."""
        body = _STATE.dump_json(state).decode()
        with _available(), self._transaction() as db:
            db.execute(
                "INSERT INTO state VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body", (body,)
            )
            if document is not None:
                db.execute(
                    "INSERT INTO documents VALUES (?, ?, ?, ?) ON CONFLICT (type) DO UPDATE SET"
                    " epoch = excluded.epoch, generation = excluded.generation, body = excluded.body",
                    (document.type, document.epoch, document.generation, document.body),
                )
            db.executemany(
                "INSERT INTO events (at, who, worker, before, after, reason, epoch, generation)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (at, who, one.worker, one.before, one.after, one.reason, state.epoch, state.generation)
                    for one in decided
                ],
            )

    def document(self, kind: str) -> Document | None:
        """The newest document of that type."""
        with _available():
            query = "SELECT type, epoch, generation, body FROM documents WHERE type = ?"
            row = self._db.execute(query, (kind,)).fetchone()
        return None if row is None else Document(*row)

    def events(self, limit: int) -> list[HistoryEvent]:
        """The newest decisions, oldest of them first."""
        with _available():
            query = (
                "SELECT at, who, worker, before, after, reason, epoch, generation FROM events"
                " ORDER BY id DESC LIMIT ?"
            )
            rows = self._db.execute(query, (limit,)).fetchall()
        return [HistoryEvent(*row) for row in reversed(rows)]

    def tokens(self) -> list[StoredToken]:
        """All tokens, by name."""
        with _available():
            rows = self._db.execute(
                "SELECT name, role, digest, created_at FROM tokens ORDER BY name"
            ).fetchall()
        return [StoredToken(*row) for row in rows]

    def add_token(self, token: StoredToken) -> None:
        """Add a token. Raises ValueError if the name is taken."""
        row = (token.name, token.role, token.digest, token.created_at)
        with _available(), self._transaction() as db:
            try:
                db.execute("INSERT INTO tokens VALUES (?, ?, ?, ?)", row)
            except sqlite3.IntegrityError:
                raise ValueError(f"there is already a token named {token.name!r}: revoke it first") from None

    def remove_token(self, name: str) -> bool:
        """Forget a token; False if there was none of that name."""
        with _available(), self._transaction() as db:
            return db.execute("DELETE FROM tokens WHERE name = ?", (name,)).rowcount > 0

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


@contextmanager
def _available() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailableError(
            f"the store failed: {error}; is its disk full or its file locked?"
        ) from error


def _migrate(db: sqlite3.Connection) -> None:
    """Run the numbered scripts that this file has not seen."""
    (seen,) = db.execute("PRAGMA user_version").fetchone()
    scripts = sorted(
        (int(entry.name.removesuffix(".sql")), entry.read_text())
        for entry in (resources.files("failover_receiver") / "migrations").iterdir()
        if entry.name.endswith(".sql")
    )
    if seen > scripts[-1][0]:
        raise StoreUnavailableError(
            f"the store has schema {seen}, this program knows up to {scripts[-1][0]}: use the newer program"
        )
    for number, script in scripts:
        if number > seen:
            db.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;")
