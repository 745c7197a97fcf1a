"""What was done: by whom, why, and with which generation it was published. Added to, and shortened when it is old."""

from collections.abc import Iterable
from dataclasses import dataclass

from failover_receiver.state import Decided, Remarked
from failover_receiver.store.database import Database, Writing

COLUMNS = "at, who, what, subject, before, after, reason, epoch, generation"
DECIDED = "decided"


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """One thing of the past."""

    at: float
    who: str
    what: str
    """`decided`, of a worker's published state, or a word such as `client added`."""
    subject: str
    """The worker, client or token that it was done to."""
    before: str | None
    after: str | None
    reason: str
    epoch: int
    generation: int
    id: int
    """Rises; what is asked for to read further back."""


@dataclass(frozen=True, slots=True)
class Noted:
    """Something that was done, to be remembered; the core's decisions are written by `save`."""

    at: float
    who: str
    what: str
    subject: str
    reason: str
    epoch: int
    generation: int


def note(db: Writing, noted: Noted) -> None:
    """Add it to the history, in the transaction that does it."""
    row = (noted.at, noted.who, noted.what, noted.subject, None, None)
    _insert(db, [(*row, noted.reason, noted.epoch, noted.generation)])


def note_decided(
    db: Writing, decided: Iterable[Decided | Remarked], *, at: float, who: str, number: tuple[int, int]
) -> None:
    """Add the core's decisions and remarks, published with that epoch and generation."""
    _insert(
        db,
        [
            (at, who, one.what, one.worker, None, None, one.reason, *number)
            if isinstance(one, Remarked)
            else (at, who, DECIDED, one.worker, one.before, one.after, one.reason, *number)
            for one in decided
        ],
    )


def newest(store: Database, limit: int, before: int | None) -> list[HistoryEvent]:
    """The newest ones (of those with a lower id than `before`), oldest of them first."""
    rows = store.rows(
        f"SELECT {COLUMNS}, id FROM events WHERE id < ? ORDER BY id DESC LIMIT ?",  # noqa: S608 - our own words.
        2**63 - 1 if before is None else before,
        limit,
    )
    return [HistoryEvent(*row) for row in reversed(rows)]


def shorten(store: Database, older_than: float, limit: int) -> int:
    """Forget some of what is older; how many that were, at most `limit`."""
    with store.available(), store.transaction() as db:
        some = "SELECT id FROM events WHERE at < ? LIMIT ?"
        return db.execute(f"DELETE FROM events WHERE id IN ({some})", (older_than, limit)).rowcount  # noqa: S608 - our own words.


def _insert(db: Writing, rows: list[tuple[object, ...]]) -> None:
    db.executemany(
        f"INSERT INTO events ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - our own words.
        rows,
    )
