"""Tests of failover_receiver/store.py on real files. What goes wrong is in test_store_failing.py."""

import sqlite3
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from failover_receiver.state import Alert, State, Worker
from failover_receiver.store import Document, HistoryEvent, SqliteStore, StoredToken, StoreUnavailableError
from tests.failover_receiver.keeping import DOWN, save


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


# What is kept.


def test_a_new_store_is_empty(store: SqliteStore) -> None:
    """No state, no document, no history, nobody let in."""
    assert (store.load(), store.document("d"), store.events(10), store.tokens.all()) == (None, None, [], [])


def test_what_was_saved_is_there_in_the_next_life(store: SqliteStore, file: Path) -> None:
    """State, document and decision, read by another process's eyes."""
    save(store, 1)
    save(store, 2, DOWN)

    other = SqliteStore(file)

    assert other.load() == State(fleet="test", generation=2)
    assert other.document("d") == Document("d", 1, 2, b"body 2")
    assert other.events(10) == [
        HistoryEvent(2.0, "somebody", "decided", "fra1", "serving", "down", "worker_down", 1, 2, 1)
    ]
    other.close()


def test_a_save_without_a_document_leaves_the_last_one(store: SqliteStore) -> None:
    """The state may change where nothing is published."""
    save(store, 1)

    store.save(State(fleet="test", generation=1, read_at=5.0), None, [], at=5.0, who="somebody")

    assert store.document("d") == Document("d", 1, 1, b"body 1")
    assert store.load() == State(fleet="test", generation=1, read_at=5.0)


def test_documents_of_different_types_do_not_touch_each_other(store: SqliteStore) -> None:
    """The newest of each."""
    save(store, 1)
    store.save(State(fleet="test"), Document("other", 1, 7, b"x"), [], at=0.0, who="somebody")

    assert store.document("d") == Document("d", 1, 1, b"body 1")
    assert store.document("other") == Document("other", 1, 7, b"x")
    assert store.document("third") is None


def test_the_newest_events_come_oldest_first(store: SqliteStore) -> None:
    """As many as asked for."""
    for number in range(1, 6):
        save(store, number, DOWN)

    assert [event.generation for event in store.events(3)] == [3, 4, 5]


def test_a_commit_waits_for_the_disk(store: SqliteStore) -> None:
    """A write-ahead log with synchronous=FULL: what kill -9 cannot show, a power cut would."""
    assert store._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)


finite = st.floats(allow_nan=False, allow_infinity=False)
workers = st.builds(
    Worker, failed_at=st.none() | finite, up_since=st.none() | finite, failures=st.lists(finite).map(tuple)
)
alerts = st.builds(Alert, starts_at=finite, heard_at=finite, ended_at=st.none() | finite)
states = st.builds(
    State,
    issued_at=finite,
    read_at=finite,
    workers=st.dictionaries(st.text(), workers, max_size=3),
    alerts=st.dictionaries(st.text(), alerts, max_size=3),
)


@settings(max_examples=50, deadline=None)
@given(state=states)
def test_any_state_comes_back_as_it_was(state: State) -> None:
    """To the last bit of every number and the last character of every text."""
    store = SqliteStore(Path(":memory:"))

    store.save(state, None, [], at=0.0, who="somebody")

    assert store.load() == state
    store.close()


# Schema.


def newest() -> int:
    """The number of the last migration."""
    folder = resources.files("failover_receiver") / "migrations"
    return max(int(entry.name.partition(".")[0]) for entry in folder.iterdir() if entry.name.endswith(".sql"))


def test_a_new_file_gets_the_newest_schema(store: SqliteStore) -> None:
    """All migrations, from nothing."""
    tables = {name for (name,) in store._db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}

    assert {"state", "documents", "events", "tokens"} <= tables
    assert store._db.execute("PRAGMA user_version").fetchone() == (newest(),)


def test_a_newer_schema_is_refused_and_left_alone(file: Path) -> None:
    """An old program must not write what a new one has laid out otherwise."""
    SqliteStore(file).close()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("PRAGMA user_version = 99")

    with pytest.raises(StoreUnavailableError) as caught:
        SqliteStore(file)

    assert (
        str(caught.value)
        == f"the store has schema 99, this program knows up to {newest()}: use the newer program"
    )
    assert other.execute("PRAGMA user_version").fetchone() == (99,)
    other.close()


def test_a_migration_that_fails_leaves_nothing_half(file: Path) -> None:
    """The file holds a table of that name already: none of the others is made."""
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("CREATE TABLE tokens (theirs)")

    with pytest.raises(StoreUnavailableError, match="table tokens already exists"):
        SqliteStore(file)

    assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [("tokens",)]
    assert other.execute("PRAGMA user_version").fetchone() == (0,)
    other.close()


# Tokens.


def token(name: str) -> StoredToken:
    """A token of that name."""
    return StoredToken(name, "client", f"digest of {name}", 5.0)


def test_tokens_are_kept_by_name(store: SqliteStore, file: Path) -> None:
    """In order, in the next life too."""
    store.tokens.add(token("b"))
    store.tokens.add(token("a"))

    other = SqliteStore(file)

    assert other.tokens.all() == store.tokens.all() == [token("a"), token("b")]
    other.close()


def test_a_name_that_is_taken_is_refused(store: SqliteStore) -> None:
    """Or somebody's token would stop working without a word."""
    store.tokens.add(token("a"))

    with pytest.raises(ValueError, match=r"^there is already a token named 'a': revoke it first$"):
        store.tokens.add(StoredToken("a", "operator", "another", 6.0))

    assert store.tokens.all() == [token("a")]


def test_a_removed_token_is_gone_and_another_is_not(store: SqliteStore) -> None:
    """It says whether there was one."""
    store.tokens.add(token("a"))
    store.tokens.add(token("b"))

    assert store.tokens.remove("a") is True
    assert store.tokens.remove("a") is False
    assert store.tokens.all() == [token("b")]
