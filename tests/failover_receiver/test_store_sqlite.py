"""Tests of failover_receiver/store/sqlite.py: how durable a file is, and that what has not changed is not written."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from failover_receiver.state import Action, Alert, State
from failover_receiver.store import SqliteStore
from failover_receiver.store.alerts import REFRESH_SECONDS


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that is not there yet."""
    return tmp_path / "receiver.db"


@pytest.fixture
def store(file: Path) -> Iterator[SqliteStore]:
    """A new store."""
    new = SqliteStore(file)
    yield new
    new.close()


def test_a_commit_waits_for_the_disk(store: SqliteStore) -> None:
    """A write-ahead log with synchronous=FULL: what kill -9 cannot show, a power cut would."""
    assert store._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)


# The alerts among it.

UP = Alert("WireGuardWorkerUp", Action.ADMIT, "fra1", starts_at=1.0, heard_at=100.0)


def write(store: SqliteStore, **alerts: Alert) -> int:
    """Keep these alerts; how many rows that wrote."""
    before = store._db.total_changes
    store.save(State(fleet="test", alerts=alerts), None, [], at=0.0, who="somebody")
    return store._db.total_changes - before


def test_only_alerts_that_changed_are_written(store: SqliteStore) -> None:
    """Those that are new, that changed, and that are forgotten: a row each, and the state only if it differs."""
    assert write(store, a=UP, b=UP, c=UP) == 4
    assert write(store, a=UP, b=UP, c=UP) == 0
    assert write(store, a=UP, b=replace(UP, ended_at=101.0), c=UP) == 1
    assert write(store, a=UP, c=UP, d=UP) == 2


def test_a_repetition_alone_is_not_written(store: SqliteStore) -> None:
    """It comes again anyway; but a row that is a minute behind is brought up to date with what else is written."""
    write(store, a=UP)

    assert write(store, a=replace(UP, heard_at=UP.heard_at + REFRESH_SECONDS - 1)) == 0
    assert write(store, a=replace(UP, heard_at=UP.heard_at + REFRESH_SECONDS)) == 1


def test_the_next_life_writes_only_what_changed_too(store: SqliteStore, file: Path) -> None:
    """It looks at the rows that are there."""
    write(store, a=UP, b=UP)
    other = SqliteStore(file)
    other.load()

    assert (
        write(other, a=replace(UP, overruled=True), b=UP) == 2
    )  # And the state, which this one has not yet written.
    other.close()
