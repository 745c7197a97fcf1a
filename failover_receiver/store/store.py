"""Keeps the core's state with its documents and history. What `save` has returned from survives a power cut."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter

from failover_receiver.state import Decided, Remarked, State
from failover_receiver.store import history
from failover_receiver.store.alerts import AlertTable
from failover_receiver.store.clients import ClientTable
from failover_receiver.store.database import Writing
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

    @property
    def number(self) -> tuple[int, int]:
        """A later document's is greater."""
        return self.epoch, self.generation


class Store(ABC):
    """The core's tables, and the others' as attributes. Every method raises StoreUnavailableError if it cannot.

    An engine is a subclass. It adds what database.py asks for, and the migrations that make its tables.
    """

    def __init__(self) -> None:
        """Stand on the engine, which is open."""
        self.tokens = Tokens(self)
        self.clients = ClientTable(self)
        self.enrolments = EnrolmentTable(self)
        self._alerts = AlertTable(self)
        self._rest: State | None = None
        """The state without its alerts, as it is kept; None: not known."""

    @abstractmethod
    def available(self) -> AbstractContextManager[None]:
        """Whatever the engine raises within becomes StoreUnavailableError."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Writing]:
        """All that is written within, durably, or nothing. To be wrapped in `available`."""

    @abstractmethod
    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """All that a query finds."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it."""

    def fence(self, db: Writing, *whats: str) -> None:  # noqa: B027 - one process alone needs none.
        """In a transaction that changes these: refuse it if another receiver has since they were read here."""

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
        try:
            with self.available(), self.transaction() as db:
                self.write(db, state, document, decided, at=at, who=who)
        except BaseException:
            self.forget()
            raise

    def write(
        self,
        db: Writing,
        state: State,
        document: Document | None,
        decided: Sequence[Decided | Remarked],
        *,
        at: float,
        who: str,
    ) -> None:
        """Likewise, in a transaction. If that fails later on, `forget`."""
        rest = replace(state, alerts={})
        self._alerts.write(db, state.alerts)
        if rest != self._rest:
            _write_state(db, rest)
        if document is not None:
            self.put(db, document)
        if decided:
            number = (state.epoch, state.generation)
            history.note_decided(db, decided, at=at, who=who, number=number)
        self._rest = rest

    def forget(self) -> None:
        """Write everything anew the next time: what was written is not there, or another has written since."""
        self._alerts.forget()
        self._rest = None

    def put(self, db: Writing, document: Document) -> None:
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

    def note(self, db: Writing, noted: Noted) -> None:
        """Add to the history, in the transaction that does it."""
        history.note(db, noted)

    def events(self, limit: int, before: int | None = None) -> list[HistoryEvent]:
        """The newest of the history (of what came before that id), oldest of them first."""
        return history.newest(self, limit, before)

    def forget_events(self, older_than: float, limit: int) -> int:
        """Forget some of what is older; how many that were, at most `limit`."""
        return history.shorten(self, older_than, limit)


def check_fleet(kept: State | None, fleet: str) -> None:
    """Raise ValueError if what is kept is another fleet's."""
    if kept is not None and kept.fleet != fleet:
        raise ValueError(f"the store holds fleet {kept.fleet!r}, the configuration says {fleet!r}")


def _write_state(db: Writing, rest: State) -> None:
    body = _STATE.dump_json(rest).decode()
    db.execute("INSERT INTO state VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body", (body,))
