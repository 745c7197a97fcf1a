"""Tests of failover_receiver/store when things go wrong: real kills, real locks, a real full disk."""

import contextlib
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from failover_receiver.state import Action, Alert, State
from failover_receiver.store import Document, SqliteStore, StoreUnavailableError
from failover_receiver.store import sqlite as module
from tests.failover_receiver.keeping import DOWN, generation, save, save_all

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


def test_alerts_of_a_save_that_failed_are_written_by_the_next(store: SqliteStore) -> None:
    """What was written and taken back is not taken for written."""
    up = Alert("WireGuardWorkerUp", Action.ADMIT, "fra1", starts_at=1.0, heard_at=1.0)
    store.save(State(fleet="test", alerts={"gone": up}), None, [], at=0.0, who="somebody")
    store._db.execute("CREATE TRIGGER no BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no'); END")
    state = State(fleet="test", alerts={"new": up}, read_at=7.0)
    with pytest.raises(StoreUnavailableError):
        store.save(state, None, [DOWN], at=0.0, who="somebody")
    store._db.execute("DROP TRIGGER no")

    store.save(state, None, [DOWN], at=0.0, who="somebody")

    assert store.load() == state


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
