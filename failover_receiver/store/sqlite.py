"""Keeps the core's state with its documents and history. What `save` has returned from survives a power cut."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

from failover_receiver.state import Decided, Remarked, State
from failover_receiver.store import history
from failover_receiver.store.alerts import AlertTable
from failover_receiver.store.clients import ClientTable
from failover_receiver.store.database import Database
from failover_receiver.store.enrolments import EnrolmentTable
from failover_receiver.store.history import HistoryEvent, Noted
from failover_receiver.store.tokens import Tokens

_STATE = TypeAdapter(State)


@dataclass(frozen=True, slots=True)
class Document:
    """A signed document as it is sent."""

    type: str
    epoch: int
    generation: int
    body: bytes


class SqliteStore(Database):
    """The core's tables, and the others' as attributes. Every method raises StoreUnavailableError if it cannot."""

    def __init__(self, path: Path) -> None:
        """Open the file, making it where needed."""
        super().__init__(path)
        self.tokens = Tokens(self)
        self.clients = ClientTable(self)
        self.enrolments = EnrolmentTable(self)
        self._alerts = AlertTable(self)
        self._rest: State | None = None
        """The state without its alerts, as it is in the file; None: not known."""

    def load(self) -> State | None:
        """The state last saved; None in a new file."""
        rows = self.rows("SELECT body FROM state WHERE id = 1")
        if not rows:
            return None
        return replace(_STATE.validate_json(rows[0][0]), alerts=self._alerts.all())

    def save(
        self,
        state: State,
        document: Document | None,
        decided: Sequence[Decided | Remarked],
        *,
        at: float,
        who: str,
    ) -> None:
        """Keep state, document and decisions together or not at all."""
        rest = replace(state, alerts={})
        try:
            with self.available(), self.transaction() as db:
                self._alerts.write(db, state.alerts)
                if rest != self._rest:
                    _write_state(db, rest)
                if document is not None:
                    self.put(db, document)
                if decided:
                    number = (state.epoch, state.generation)
                    history.note_decided(db, decided, at=at, who=who, number=number)
        except BaseException:
            self._alerts.forget()
            self._rest = None
            raise
        self._rest = rest

    def put(self, db: sqlite3.Connection, document: Document) -> None:
        """Make it the newest of its type, in the transaction of what it says."""
        db.execute(
            "INSERT INTO documents VALUES (?, ?, ?, ?) ON CONFLICT (type) DO UPDATE SET"
            " epoch = excluded.epoch, generation = excluded.generation, body = excluded.body",
            (document.type, document.epoch, document.generation, document.body),
        )

    def document(self, kind: str) -> Document | None:
        """The newest document of that type."""
        rows = self.rows("SELECT type, epoch, generation, body FROM documents WHERE type = ?", kind)
        return Document(*rows[0]) if rows else None

    def note(self, db: sqlite3.Connection, noted: Noted) -> None:
        """Add to the history, in the transaction that does it."""
        history.note(db, noted)

    def events(self, limit: int, before: int | None = None) -> list[HistoryEvent]:
        """The newest of the history (of what came before that id), oldest of them first."""
        return history.newest(self, limit, before)

    def forget_events(self, older_than: float, limit: int) -> int:
        """Forget some of what is older; how many that were, at most `limit`."""
        return history.shorten(self, older_than, limit)


def _write_state(db: sqlite3.Connection, rest: State) -> None:
    body = _STATE.dump_json(rest).decode()
    db.execute("INSERT INTO state VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body", (body,))
