"""Tests of failover_receiver/backup.py on real stores."""

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from failover_receiver.backup import Copied, back_up, inspect
from failover_receiver.store import SqliteStore
from tests.failover_receiver.keeping import DOWN, generation, save
from tests.failover_receiver.test_store_failing import SAVER
from tests.failover_receiver.test_store_schema import newest


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with three saves."""
    file = tmp_path / "receiver.db"
    opened = SqliteStore(file)
    for number in (1, 2, 3):
        save(opened, number, DOWN)
    opened.close()
    return file


def test_a_backup_is_the_whole_store_in_one_file(store: Path, tmp_path: Path) -> None:
    """State, documents and history; it opens as any store does."""
    copied = back_up(store, tmp_path / "backup.db")

    assert copied == Copied(newest(), "test", 1, 3, 3)
    again = SqliteStore(tmp_path / "backup.db")
    assert (generation(again), len(again.events(10))) == (3, 3)
    again.close()


def test_a_backup_is_for_its_owners_eyes(store: Path, tmp_path: Path) -> None:
    """Nothing else is left in the folder."""
    (tmp_path / "backups").mkdir()

    back_up(store, tmp_path / "backups" / "one.db")

    (file,) = (tmp_path / "backups").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_backup_overwrites_nothing(store: Path, tmp_path: Path) -> None:
    """The last one may be the only one."""
    file = tmp_path / "backup.db"
    file.write_text("precious")

    with pytest.raises(ValueError, match="is already there: choose another name"):
        back_up(store, file)

    assert file.read_text() == "precious"
    assert not list(tmp_path.glob(".backup*"))


def test_a_backup_of_nothing_makes_nothing(tmp_path: Path) -> None:
    """Neither store nor backup."""
    with pytest.raises(ValueError, match="is not there"):
        back_up(tmp_path / "receiver.db", tmp_path / "backup.db")

    assert list(tmp_path.iterdir()) == []


def test_a_backup_is_made_while_the_store_is_written_to(store: Path, tmp_path: Path) -> None:
    """Each one is of a single moment: state, document and history say the same number, and each is newer."""
    seen = []
    with subprocess.Popen([sys.executable, "-c", SAVER, store], stdout=subprocess.PIPE, text=True) as saver:
        assert saver.stdout is not None
        for turn in range(5):
            told = int(saver.stdout.readline())
            copied = back_up(store, tmp_path / f"{turn}.db")
            opened = SqliteStore(tmp_path / f"{turn}.db")
            document, history = opened.document("d"), opened.events(1)
            opened.close()
            assert document is not None
            assert copied.generation == document.generation == history[0].generation >= told
            seen.append(copied.generation)
        saver.kill()

    assert seen == sorted(seen)


def test_what_is_no_store_is_said(tmp_path: Path) -> None:
    """A text, or another program's database."""
    (tmp_path / "text").write_text("no database at all, and long enough to have a header" * 10)
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE theirs (a)").connection.close()

    with pytest.raises(ValueError, match=r"text is no store of a receiver: file is not a database"):
        inspect(tmp_path / "text")
    with pytest.raises(ValueError, match=r"other\.db is no store of a receiver: no such table: state"):
        inspect(tmp_path / "other.db")


def test_a_damaged_backup_is_noticed(store: Path, tmp_path: Path) -> None:
    """A page of zeros in the middle."""
    file = tmp_path / "backup.db"
    back_up(store, file)
    with file.open("r+b") as damaged:
        damaged.seek(4096)
        damaged.write(bytes(4096))

    with pytest.raises(ValueError, match=r"is damaged|is no store of a receiver"):
        inspect(file)


def test_a_backup_that_cannot_be_written_names_what_was_asked_for(store: Path, tmp_path: Path) -> None:
    """Not the name that it would have had for a moment."""
    file = tmp_path / "gone" / "backup.db"

    with pytest.raises(
        ValueError, match=f"^{file} cannot be written: No such file or directory; name a file in"
    ):
        back_up(store, file)


def test_a_backup_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    """SQLite alone says that it cannot open it."""
    file = tmp_path / "backup.db"

    with pytest.raises(ValueError, match=f"^{file} cannot be read: No such file or directory; name what"):
        inspect(file)
    with pytest.raises(ValueError, match=f"^{tmp_path} cannot be read: Is a directory; name what"):
        inspect(tmp_path)
