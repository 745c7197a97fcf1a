"""Moves a receiver's store from its file into a PostgreSQL, and numbers one anew that was restored there."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from failover_receiver.backup import Copied, inspect
from failover_receiver.holding import held, must_be_there
from failover_receiver.restore import begin
from failover_receiver.state import State
from failover_receiver.store import Noted, SqliteStore, Store, check_fleet

TABLES = (
    *("state", "alerts", "documents", "events", "tokens", "sessions", "clients", "revocations"),
    *("freed_addresses", "removals_confirmed", "client_list_acks", "enrolments"),
)
"""All of them; what receivers tell each other besides is told again."""
MOVED, RENUMBERED = "store moved", "backup restored"
"""What the history calls it."""
LIVES_SECONDS = 10.0
"""A receiver tells that it lives each second."""


def move(file: Path, store: Store, fleet: str, *, now: float) -> Copied:
    """Copy all that a file holds into an empty PostgreSQL; the file stays as it is. Numbers go on where they are.

    Raises:
        ValueError: a receiver runs on the file, it is no store of this fleet, or the PostgreSQL holds one already.

    """
    must_be_there(file)
    with held(file):
        SqliteStore(file).close()  # Brings an older program's up to date.
        copied = inspect(file)
        if copied.fleet not in {None, fleet}:
            raise ValueError(f"{file} is of fleet {copied.fleet!r}, the configuration says {fleet!r}")
        _must_be_empty(store)
        noted = Noted(now, "move-store", MOVED, fleet, str(file), copied.epoch, copied.generation)
        with (
            closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as whence,
            store.available(),
            store.transaction() as db,
        ):
            for table in TABLES:
                found = whence.execute("SELECT name FROM pragma_table_info(?)", (table,))
                columns = [name for (name,) in found]
                places = ", ".join("?" * len(columns))
                query = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608 - our own words.
                db.executemany(query, _rows(whence, table, columns))
            db.execute(
                "SELECT setval(pg_get_serial_sequence('events', 'id'), coalesce(max(id), 0) + 1) FROM events"
            )
            store.note(db, noted)
    return copied


def raise_epoch(store: Store, fleet: str, *, now: float) -> int:
    """Let whatever is published next have a higher number than anything before; the new epoch.

    Raises:
        ValueError: a receiver runs on it, or it holds no store of this fleet.

    """
    state = store.load()
    check_fleet(state, fleet)
    if state is None:
        raise ValueError(f"the PostgreSQL holds no fleet's store, the configuration says {fleet!r}")
    alive = store.rows("SELECT count(*) FROM heard WHERE at > ?", now - LIVES_SECONDS)[0][0]
    if alive:
        raise ValueError(
            f"{alive} receivers run on it, or did until {LIVES_SECONDS:g} s ago: stop them all, and ask again"
        )
    epoch = max(state.epoch + 1, int(now))
    anew = replace(state, epoch=epoch, issued_at=0.0)
    with store.available(), store.transaction() as db:
        db.execute("DELETE FROM documents")
        store.write(db, anew, None, [], at=now, who="raise-epoch")
        store.note(db, Noted(now, "raise-epoch", RENUMBERED, fleet, "by pg_restore", epoch, state.generation))
    return epoch


def begin_anew(store: Store, fleet: str, *, now: float) -> None:
    """Begin, in an empty PostgreSQL in the place of a lost one, under a number that is above all that were ever given."""
    _must_be_empty(store)
    begin(store, State(fleet=fleet, epoch=int(now)), "the store before is lost", now=now)


def _must_be_empty(store: Store) -> None:
    if store.rows("SELECT 1 FROM state UNION ALL SELECT 1 FROM tokens LIMIT 1"):
        raise ValueError("the PostgreSQL holds a receiver's store already: name an empty database in `store`")


def _rows(whence: sqlite3.Connection, table: str, columns: list[str]) -> Iterator[list[Any]]:
    flag = columns.index("overruled") if "overruled" in columns else None
    for row in whence.execute(f"SELECT {', '.join(columns)} FROM {table}"):  # noqa: S608 - our own words.
        values = list(row)
        if flag is not None:
            values[flag] = bool(values[flag])  # SQLite has no booleans.
        yield values
