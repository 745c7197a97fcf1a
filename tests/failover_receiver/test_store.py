"""Tests of failover_receiver/store.py: on real files, with real locks and a real full disk."""

import contextlib
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from failover_receiver import store as module
from failover_receiver.state import Alert, Decided, State, Worker
from failover_receiver.store import Document, HistoryEvent, SqliteStore, StoredToken, StoreUnavailableError
from wgfleet.peerset import WorkerState

DOWN = Decided("fra1", WorkerState.SERVING, WorkerState.DOWN, "worker_down")
SAVER = """
import sys
from pathlib import Path
from failover_receiver.state import Decided, State
from failover_receiver.store import Document, SqliteStore

store = SqliteStore(Path(sys.argv[1]))
number = (store.load() or State(fleet="test")).generation
while True:
    number += 1
    document = Document("d", 1, number, b"%d" % number)
    decided = [Decided("fra1", None, None, str(number))]
    store.save(State(fleet="test", generation=number), document, decided, at=float(number), who="saver")
    print(number, flush=True)
"""


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


def save(store: SqliteStore, number: int, *decided: Decided) -> None:
    """Keep a state, a document and decisions of that generation."""
    document = Document("d", 1, number, f"body {number}".encode())
    store.save(State(fleet="test", generation=number), document, decided, at=float(number), who="somebody")


def save_all(store: SqliteStore, numbers: Iterable[int]) -> None:
    """One after the other."""
    for number in numbers:
        save(store, number, DOWN)


def generation(store: SqliteStore) -> int | None:
    """That of the state that is kept."""
    state = store.load()
    return None if state is None else state.generation


# What is kept.


def test_a_new_store_is_empty(store: SqliteStore) -> None:
    """No state, no document, no history, nobody let in."""
    assert (store.load(), store.document("d"), store.events(10), store.tokens()) == (None, None, [], [])


def test_what_was_saved_is_there_in_the_next_life(store: SqliteStore, file: Path) -> None:
    """State, document and decision, read by another process's eyes."""
    save(store, 1)
    save(store, 2, DOWN)

    other = SqliteStore(file)

    assert other.load() == State(fleet="test", generation=2)
    assert other.document("d") == Document("d", 1, 2, b"body 2")
    assert other.events(10) == [HistoryEvent(2.0, "somebody", "fra1", "serving", "down", "worker_down", 1, 2)]
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


# Nothing is lost, and nothing is half.


def test_what_a_killed_process_has_confirmed_is_there(file: Path) -> None:
    """Killed at any moment, six times in a row: at most one save more than was confirmed, and never half of one."""
    for confirmed in (1, 2, 3, 7, 15, 40):
        with subprocess.Popen(
            [sys.executable, "-c", SAVER, file], stdout=subprocess.PIPE, text=True
        ) as saver:
            assert saver.stdout is not None
            for _ in range(confirmed):
                saver.stdout.readline()
            saver.kill()
            told = [int(line) for line in saver.stdout.read().splitlines()]

        store = SqliteStore(file)
        kept, document, history = generation(store), store.document("d"), store.events(1)
        store.close()

        assert kept is not None
        assert document is not None
        assert (document.generation, document.body) == (kept, str(kept).encode())
        assert (history[0].generation, history[0].reason) == (kept, str(kept))
        assert kept >= max(told, default=confirmed)


def test_a_save_that_fails_midway_leaves_nothing(store: SqliteStore) -> None:
    """State and document were written already when the event is refused: they are as before."""
    save(store, 1)
    store._db.execute("CREATE TRIGGER no BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no'); END")

    with pytest.raises(StoreUnavailableError, match="no; is its disk full"):
        save(store, 2, DOWN)

    assert generation(store) == 1
    assert store.document("d") == Document("d", 1, 1, b"body 1")
    store._db.execute("DROP TRIGGER no")
    save(store, 2, DOWN)
    assert generation(store) == 2


# It cannot be used.


def test_a_locked_store_says_so_and_works_again_afterwards(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process is in the way: nothing is kept, the text says what to look for, the next one is kept."""
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.01)
    store = SqliteStore(file)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreUnavailableError) as caught:
        save(store, 1)

    assert str(caught.value) == "the store failed: database is locked; is its disk full or its file locked?"
    assert generation(store) is None
    other.execute("ROLLBACK")
    other.close()
    save(store, 1)
    assert generation(store) == 1
    store.close()


def test_a_store_waits_for_a_short_lock(file: Path) -> None:
    """A backup or the init command holds it for a moment: that is no failure."""
    store = SqliteStore(file)

    assert store._db.execute("PRAGMA busy_timeout").fetchone() == (module.BUSY_SECONDS * 1000,)
    store.close()


def test_a_store_that_may_not_be_written_says_so(store: SqliteStore) -> None:
    """A file system that has gone read-only, as a failing disk makes it."""
    store._db.execute("PRAGMA query_only=ON")

    with pytest.raises(StoreUnavailableError, match="attempt to write a readonly database"):
        save(store, 1)

    store._db.execute("PRAGMA query_only=OFF")
    save(store, 1)
    assert generation(store) == 1


def test_a_disk_that_fails_is_said_and_nothing_is_lost(store: SqliteStore, file: Path) -> None:
    """The system refuses to write: not even a part of it is kept, and the next one is."""
    save(store, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (Path(f"{file}-wal").stat().st_size, hard))
    try:
        with pytest.raises(StoreUnavailableError, match="disk I/O error"):
            save(store, 2, DOWN)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert (generation(store), store.events(1)) == (1, [])
    save(store, 2, DOWN)
    assert generation(store) == 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], check=False, capture_output=True, text=True
    )
    if mount.returncode != 0:
        pytest.skip(f"cannot mount a small file system here: {mount.stderr.strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_said_and_nothing_is_lost(small_disk: Path) -> None:
    """What was kept stays, what was not is told; once there is space again, saving goes on."""
    store = SqliteStore(small_disk / "receiver.db")
    save(store, 1)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass

    numbers = iter(range(2, 1000))  # What is left of the log's last page may hold some more.
    with pytest.raises(StoreUnavailableError) as caught:
        save_all(store, numbers)
    kept = next(numbers) - 2

    assert (
        str(caught.value)
        == "the store failed: database or disk is full; is its disk full or its file locked?"
    )
    assert generation(store) == kept
    with pytest.raises(StoreUnavailableError, match="disk is full"):
        save(store, kept + 1)
    filler.unlink()
    save(store, kept + 1)
    assert generation(store) == kept + 1
    store.close()


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    """The configuration names another place than init made."""
    with pytest.raises(StoreUnavailableError, match="unable to open database file"):
        SqliteStore(tmp_path / "nowhere" / "receiver.db")


def test_a_file_that_is_no_database_is_said(file: Path) -> None:
    """And it is left as it was."""
    file.write_bytes(b"something of somebody's " * 100)

    with pytest.raises(StoreUnavailableError, match="file is not a database"):
        SqliteStore(file)

    assert file.read_bytes() == b"something of somebody's " * 100


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
    store.add_token(token("b"))
    store.add_token(token("a"))

    other = SqliteStore(file)

    assert other.tokens() == store.tokens() == [token("a"), token("b")]
    other.close()


def test_a_name_that_is_taken_is_refused(store: SqliteStore) -> None:
    """Or somebody's token would stop working without a word."""
    store.add_token(token("a"))

    with pytest.raises(ValueError, match=r"^there is already a token named 'a': revoke it first$"):
        store.add_token(StoredToken("a", "operator", "another", 6.0))

    assert store.tokens() == [token("a")]


def test_a_removed_token_is_gone_and_another_is_not(store: SqliteStore) -> None:
    """It says whether there was one."""
    store.add_token(token("a"))
    store.add_token(token("b"))

    assert store.remove_token("a") is True
    assert store.remove_token("a") is False
    assert store.tokens() == [token("b")]
