"""A store in a PostgreSQL that several receivers share; why it is as it is, says shared.py."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

import psycopg
from psycopg import errors

from failover_receiver.hearing import with_heard
from failover_receiver.state import State
from failover_receiver.store.connecting import (
    IDLE_MILLISECONDS,
    NAME,
    cut,
    in_a_line,
    new_pauses,
    parameters,
    settled,
    unreachable,
)
from failover_receiver.store.database import StoreUnavailableError, Writing
from failover_receiver.store.dsn import Dsn
from failover_receiver.store.migrating import in_its_words, migrate
from failover_receiver.store.shared import ChangedError, Heard, Made, SharedStore, not_behind
from failover_receiver.store.store import Document, check_fleet
from failover_receiver.store.texts import as_kept, as_said
from wgfleet.logs import say
from wgfleet.peerset import TYPE as PEER_SET

log = logging.getLogger(__name__)

CLOCKS_DIFFER = 5.0
"""Seconds. Receivers' clocks that differ by more are wrong, and not made up for."""
FEW = 20
"""Rows that are written one by one. More go in a pipeline, in which PostgreSQL does not count a client as idle."""
UNREAD = -1
"""No version that anything has."""


class _Transaction:
    """A transaction as the tables see it."""

    def __init__(self, store: "PostgresStore", db: psycopg.Connection) -> None:
        self._store = store
        self._db = db
        self.fenced: set[str] = set()

    def execute(self, query: str, values: Sequence[object] = (), /) -> psycopg.Cursor:
        with self._store.asking():
            return self._db.execute(in_its_words(query), as_kept(values) or None)

    def executemany(self, query: str, rows: Iterable[Sequence[object]], /) -> None:
        listed = list(rows)
        if len(listed) <= FEW:
            for row in listed:
                self.execute(query, row)
            return
        with self._store.asking(), self._db.cursor() as cursor:
            cursor.executemany(in_its_words(query), map(as_kept, listed))


class PostgresStore(SharedStore):
    """Used from one thread at a time, like every store; but for `break_off`. Connects again by itself."""

    def __init__(self, dsn: Dsn, *, replica: str = "", signer: str | None = None) -> None:
        """Connect, and bring the tables up to date. `replica` names this receiver, `signer` the key it signs with.

        Raises:
            StoreUnavailableError: it cannot be reached or used; the text says what to do.

        """
        self.dsn = dsn
        self._replica, self.signer = replica, signer
        self._db: psycopg.Connection | None = None
        self._asked_at: float | None = None
        self._broken_off = False
        self._closed = threading.Event()
        self._pauses, self._not_before, self._why = new_pauses(), 0.0, ""
        self._held: dict[str, int] = {}
        """The version of each thing that was read or written here."""
        try:
            with self.available():
                migrate(self._connected(), dsn)
        except BaseException:
            self.close()
            raise
        super().__init__()

    # The engine.

    def close(self) -> None:
        """Disconnect."""
        self._closed.set()
        if self._db is not None:
            self._db.close()

    @contextmanager
    def available(self) -> Iterator[None]:
        """Whatever psycopg raises within becomes StoreUnavailableError."""
        try:
            yield
        except psycopg.Error as error:
            raise StoreUnavailableError(f"PostgreSQL at {self.dsn} failed: {in_a_line(error)}") from error

    @contextmanager
    def transaction(self) -> Iterator[Writing]:
        """All that is written within, durably, or nothing. To be wrapped in `available`."""
        with self._transaction() as one:
            if self.signer is not None:  # Decisions go on meanwhile: theirs is no lock of the row's key.
                self._check_signer(one.execute(f"{_SIGNER} FOR KEY SHARE").fetchall()[0][2])
            yield one

    @contextmanager
    def _transaction(self, begin: str = "BEGIN") -> Iterator[_Transaction]:
        db = self._begun(begin)
        one = _Transaction(self, db)
        try:
            yield one
            numbers = self._numbers(one, one.fenced) if one.fenced else {}
            one.execute("COMMIT")
            self._held |= numbers
        except BaseException:
            self._held = {what: at for what, at in self._held.items() if what not in one.fenced}
            with suppress(psycopg.Error):  # If it is gone, the server has rolled back.
                one.execute("ROLLBACK")
            raise

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """All that a query finds."""
        with self.available():
            if self._db is not None and not self._db.closed and self._db.info.transaction_status:
                found = _Transaction(self, self._db).execute(
                    query, values
                )  # Of the transaction that is under way.
            else:
                found = self._again(lambda db: _Transaction(self, db).execute(query, values))
            return [as_said(row) for row in found.fetchall()]

    @contextmanager
    def asking(self) -> Iterator[None]:
        """As long as this lasts the server owes an answer."""
        self._asked_at = time.monotonic()
        try:
            yield
        finally:
            self._asked_at = None

    def watch(self, seconds: float) -> None:
        """From now on cut off a server that owes an answer for so long: who waits for it must not wait for ever.

        In a thread of its own, for as long as this is open: what is started or stopped waits for the store as well.
        """

        def look() -> None:
            while not self._closed.wait(seconds / 4):
                if self.break_off(seconds):
                    say(log, "store did not answer", level=logging.ERROR, seconds=seconds)

        threading.Thread(target=look, name="store-watch", daemon=True).start()

    def break_off(self, seconds: float) -> bool:
        """Cut a connection that has not answered for so long; whether it was. From any thread."""
        asked_at, db = self._asked_at, self._db
        if asked_at is None or db is None or time.monotonic() - asked_at < seconds:
            return False
        self._broken_off = True
        cut(db)
        return True

    def _connected(self) -> psycopg.Connection:
        if self._db is not None and not self._db.closed:
            return self._db
        if self.away is not None or time.monotonic() < self._not_before:
            raise StoreUnavailableError(self.away or self._why)
        self._held = {}
        try:
            self._db = psycopg.connect(self.dsn.uri, **parameters(self.dsn, NAME))
            with self.asking():
                self._db.execute(settled())
        except psycopg.Error as error:
            if self._db is not None:
                self._db.close()  # One that is not settled would commit without waiting for the disk.
            self._not_before = time.monotonic() + self._pauses.next()
            self._why = unreachable(self.dsn, error)
            raise StoreUnavailableError(self._why) from error
        self._pauses.begin_again()
        return self._db

    def _again(self, do: Callable[[psycopg.Connection], psycopg.Cursor]) -> psycopg.Cursor:
        """On a new connection, where the old one proves dead: what begins, or reads, may be asked twice."""
        self._broken_off = False
        try:
            return do(self._connected())
        except (psycopg.OperationalError, psycopg.InterfaceError):
            if self._broken_off or (self._db is not None and not self._db.closed):
                raise
            return do(self._connected())

    def _begun(self, begin: str) -> psycopg.Connection:
        self._again(lambda db: _Transaction(self, db).execute(begin))
        return self._connected()

    # What other receivers do.

    def take_over(self, fleet: str, signer: str, follows: Collection[str], *, now: float) -> None:
        """Sign with that key from now on, which those keys have led to; all that was signed with another is signed anew.

        An empty database is that fleet's from now on.

        Raises:
            ValueError: it is another fleet's, or the fleet's documents are signed with a key that this one does not follow.

        """
        with self.available(), self._transaction() as db:
            ((_, _, known),) = db.execute(f"{_SIGNER} FOR UPDATE").fetchall()
            state = self.load()
            check_fleet(state, fleet)
            if state is None:
                self.write(db, State(fleet=fleet), None, [], at=now, who="start")
            if known == signer:
                return
            if known is not None and known not in follows:
                raise ValueError(
                    f"signing_key_file: documents of this fleet are signed with key {known}, and this is key {signer}, which "
                    "does not follow it: copy the file from a receiver that runs; clients believe no other key"
                )
            if state is not None and known is not None:
                self.write(db, replace(state, issued_at=0.0), None, [], at=now, who="start")
            db.execute("UPDATE versions SET signer = ?, number = number + 1 WHERE what = 'state'", (signer,))
        self.forget()

    def decide(
        self,
        held: State,
        make: Callable[[State, float], Made],
        *,
        clock: Callable[[], float],
        who: str,
        made_from: Collection[str] = (),
    ) -> Made:
        """Let `make` decide on the newest state, and keep what it decides. `held` is what the caller took it to be."""
        decide = partial(self._decide, held, make, clock, who, made_from)
        try:
            return decide()
        except StoreUnavailableError as error:
            if not isinstance(error.__cause__, errors.LockNotAvailable):
                raise
        self._put_out_silent()
        return decide()

    def _decide(
        self,
        held: State,
        make: Callable[[State, float], Made],
        clock: Callable[[], float],
        who: str,
        made_from: Collection[str],
    ) -> Made:
        try:
            with self.available(), self._transaction() as db:
                number, at = self._lock(db)
                if made_from:
                    self.fence(db, *made_from)
                state, document = self._newest(held, number) or (held, None)
                one = make(self._overheard(state), _not_before(clock(), at))
                if one.effects:
                    for what in made_from:
                        db.execute("SELECT count_change(?)", (what,))
                    self.write(db, one.state, one.document, one.decided, at=one.now, who=who)
                    db.execute("UPDATE versions SET at = ? WHERE what = 'state'", (one.now,))
                return one._replace(document=one.document or document)
        except BaseException:
            self.forget()
            raise

    def _put_out_silent(self) -> None:
        """End the transactions of receivers that were frozen or cut off in the middle of telling PostgreSQL something.

        Of those that it knows to be idle it ends them itself, and sooner.
        """
        self.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = current_user AND application_name = ?"
            " AND pid <> pg_backend_pid() AND wait_event = 'ClientRead'"
            " AND xact_start < clock_timestamp() - ? * interval '1 millisecond'",
            *(NAME, IDLE_MILLISECONDS),
        )

    def newer(self, held: State) -> tuple[State, Document | None] | None:
        """The state and the peer set, if another receiver has changed them; None if not."""
        if not self.is_news("state"):
            return None
        with self.available(), self._transaction(_ONE_MOMENT) as db:
            db.fenced.add("state")
            return self._newest(held, self._numbers(db, {"state"})["state"])

    def is_news(self, *whats: str) -> bool:
        """Whether another receiver has changed one of these since it was read here."""
        rows = self.rows("SELECT what, number FROM versions WHERE what = ANY(?)", list(whats))
        return any(self._held.get(what) != number for what, number in rows)

    @contextmanager
    def reading(self, *whats: str) -> Iterator[None]:
        """All that is read within is of one moment; afterwards these are no news."""
        with self.available(), self._transaction(_ONE_MOMENT) as db:
            db.fenced.update(whats)
            yield

    def doubt(self, what: str) -> None:
        """Count this as news again, though it was read: it was not taken in. From any thread."""
        if what in self._held:
            self._held[what] = UNREAD

    def fence(self, db: Writing, *whats: str) -> None:
        """In a transaction that changes these: refuse it if another receiver has since they were read here."""
        rows = db.execute(
            "SELECT what, number FROM versions WHERE what = ANY(?) ORDER BY what FOR UPDATE", (list(whats),)
        ).fetchall()
        if any(self._held.get(what) != number for what, number in rows):
            raise ChangedError(f"another receiver has changed the {' or '.join(whats)} meanwhile: ask again")
        assert isinstance(db, _Transaction)  # noqa: S101 - ours are.
        db.fenced.update(whats)

    def _lock(self, db: _Transaction) -> tuple[int, float]:
        """Be the only one who decides, until the transaction ends; the state's version, and the last decision's time."""
        ((number, at, signer),) = db.execute(f"{_SIGNER} FOR NO KEY UPDATE").fetchall()
        db.fenced.add("state")
        self._check_signer(signer)
        return number, at

    def _check_signer(self, signer: str | None) -> None:
        foreign = self.foreign(signer)
        if foreign is not None:
            raise StoreUnavailableError(foreign)

    def _newest(self, held: State, number: int) -> tuple[State, Document | None] | None:
        """What is kept, if that is not what is held."""
        if number == self._held.get("state"):
            return None
        self.forget()
        kept = self.load()
        try:
            check_fleet(kept, held.fleet)
        except ValueError as error:
            raise StoreUnavailableError(str(error)) from None
        # What was heard here and is not kept is known here alone.
        mine = {key: alert.heard_at for key, alert in held.alerts.items()}
        state = held if kept is None else with_heard(not_behind(kept, held), mine, held.read_at)
        return state, self.document(PEER_SET)

    def _numbers(self, db: _Transaction, whats: Iterable[str]) -> dict[str, int]:
        rows = db.execute("SELECT what, number FROM versions WHERE what = ANY(?)", (list(whats),)).fetchall()
        return dict(rows)

    def _overheard(self, state: State) -> State:
        for (body,) in self.rows("SELECT body FROM heard WHERE replica <> ?", self._replica):
            state = with_heard(state, *Heard.read(body))
        return state


_SIGNER = "SELECT number, at, signer FROM versions WHERE what = 'state'"
_ONE_MOMENT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


def _not_before(now: float, last: float) -> float:
    """The time of a decision: not before the last one's, if only the clocks differ."""
    return last if now < last < now + CLOCKS_DIFFER else now
