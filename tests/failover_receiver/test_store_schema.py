"""Tests of the store's migrations, on real files."""

import sqlite3
from dataclasses import astuple, replace
from importlib import resources
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from failover_receiver.state import Alert, State
from failover_receiver.store import SqliteStore, StoreUnavailableError

SCHEMAS = Path(__file__).with_name("schemas")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that is not there yet."""
    return tmp_path / "receiver.db"


@pytest.fixture
def old(file: Path) -> sqlite3.Connection:
    """A store as the program of schema 1 left it."""
    db = sqlite3.connect(file, isolation_level=None)
    db.executescript((SCHEMAS / "0001.sql").read_text())
    return db


def newest() -> int:
    """The number of the last migration."""
    folder = resources.files("failover_receiver") / "migrations" / "sqlite"
    return max(int(entry.name.partition(".")[0]) for entry in folder.iterdir() if entry.name.endswith(".sql"))


def test_a_new_file_gets_the_newest_schema(file: Path) -> None:
    """All migrations, from nothing."""
    SqliteStore(file).close()

    db = sqlite3.connect(file)
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert {"state", "alerts", "documents", "events", "tokens"} <= tables
    assert db.execute("PRAGMA user_version").fetchone() == (newest(),)
    db.close()


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


# From the schema that had alerts in the state.


def test_the_first_schemas_state_is_read_whole(old: sqlite3.Connection, file: Path) -> None:
    """Every alert, to the last bit of its times, beside everything else; and once more after it was saved."""
    ((body,),) = old.execute("SELECT body FROM state").fetchall()
    before = TypeAdapter(State).validate_json(body)
    assert before.alerts
    old.close()

    store = SqliteStore(file)
    migrated = store.load()
    store.save(before, None, [], at=0.0, who="somebody")
    again = store.load()
    store.close()

    assert migrated == again == before


def test_the_first_schemas_documents_history_and_tokens_stay(old: sqlite3.Connection, file: Path) -> None:
    """Row by row; what it knew were decisions."""
    events = old.execute("SELECT * FROM events ORDER BY id").fetchall()
    tokens = old.execute("SELECT name, role, digest, created_at FROM tokens ORDER BY name").fetchall()
    ((kind, *number, document),) = old.execute("SELECT * FROM documents").fetchall()
    old.close()

    store = SqliteStore(file)

    assert [astuple(event) for event in store.events(100)] == [
        (at, who, "decided", *rest, number) for number, at, who, *rest in events
    ]
    assert [(one.name, one.role, one.digest, one.created_at) for one in store.tokens.all()] == tokens
    kept = store.document(kind)
    assert kept is not None
    assert ([kept.epoch, kept.generation], kept.body) == (number, document)
    store.close()


def test_odd_alerts_of_the_first_schema_are_read_whole(old: sqlite3.Connection, file: Path) -> None:
    """Any text as a fingerprint, and numbers whose last bit SQLite itself might read otherwise."""
    ((body,),) = old.execute("SELECT body FROM state").fetchall()
    before = TypeAdapter(State).validate_json(body)
    (some, *_) = before.alerts.values()
    odd: dict[str, Alert] = {
        'a"\0b': replace(some, starts_at=9.007199254740993e15, heard_at=5e-324),
        "": replace(some, worker=None, starts_at=-0.1, ended_at=1.7976931348623157e308),
        "ümlaut\U0001f600": replace(some, name="$.alerts", overruled=True),
    }
    before = replace(before, alerts=odd)
    old.execute("UPDATE state SET body = ?", (TypeAdapter(State).dump_json(before).decode(),))
    old.close()

    store = SqliteStore(file)

    assert store.load() == before
    store.close()


def test_an_empty_store_of_the_first_schema_is_brought_up_to_date(file: Path) -> None:
    """Made by init, never run."""
    old = sqlite3.connect(file, isolation_level=None)
    script = (resources.files("failover_receiver") / "migrations" / "sqlite" / "0001.sql").read_text()
    old.executescript(f"{script} PRAGMA user_version = 1;")
    old.close()

    store = SqliteStore(file)

    assert (store.load(), store.events(10)) == (None, [])
    store.close()
