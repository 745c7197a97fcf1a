"""Tests of failover_receiver/moving.py: from a file into a real PostgreSQL, and numbers after one was restored."""

import time
from pathlib import Path

import pytest

from failover_receiver import moving, setup
from failover_receiver.store import SqliteStore
from failover_receiver.store.dsn import Dsn
from failover_receiver.store.postgres import PostgresStore
from tests.failover_receiver.keeping import DOWN, generation
from tests.failover_receiver.parts import FLEET, build
from tests.lab.postgres import Postgres


@pytest.fixture
def empty(postgres: Postgres) -> PostgresStore:
    """A PostgreSQL that holds nothing."""
    return PostgresStore(Dsn.parse(postgres.database()))


@pytest.mark.anyio
async def test_all_that_the_file_holds_is_there(tmp_path: Path, empty: PostgresStore) -> None:
    """State, documents, history, tokens: the same, under the same numbers; the history says where it came from."""
    parts = build(tmp_path)
    await parts.serve("fra1")
    parts.close()
    file = SqliteStore(tmp_path / "receiver.db")

    copied = moving.move(tmp_path / "receiver.db", empty, FLEET, now=7.0)

    assert copied.generation == generation(file) == generation(empty)
    assert empty.load() == file.load()
    assert empty.document("wgfleet/peer-set") == file.document("wgfleet/peer-set")
    assert empty.tokens.all() == file.tokens.all()
    *before, last = empty.events(100)
    assert before == file.events(100)
    assert (last.what, last.at) == ("store moved", 7.0)
    file.close()
    empty.close()


def test_a_store_is_not_moved_over_another(tmp_path: Path, empty: PostgresStore) -> None:
    """The one that is there would be lost."""
    setup.make(tmp_path, FLEET)
    moving.move(tmp_path / "receiver.db", empty, FLEET, now=7.0)

    with pytest.raises(ValueError, match="holds a receiver's store already"):
        moving.move(tmp_path / "receiver.db", empty, FLEET, now=8.0)
    empty.close()


def test_another_fleets_is_not_moved(tmp_path: Path, empty: PostgresStore) -> None:
    """Nor is anything of it."""
    setup.make(tmp_path, "theirs")

    with pytest.raises(ValueError, match="is of fleet 'theirs', the configuration says 'test'"):
        moving.move(tmp_path / "receiver.db", empty, FLEET, now=7.0)
    assert empty.load() is None
    empty.close()


def test_a_restored_one_goes_on_above_all_numbers(tmp_path: Path, empty: PostgresStore) -> None:
    """Its epoch is the time; what was published under the old one is published anew."""
    setup.make(tmp_path, FLEET)
    moving.move(tmp_path / "receiver.db", empty, FLEET, now=7.0)
    state = empty.load()
    assert state is not None
    empty.save(state, None, [DOWN], at=8.0, who="somebody")

    epoch = moving.raise_epoch(empty, FLEET, now=1e9)

    kept = empty.load()
    assert kept is not None
    assert (epoch, kept.epoch, kept.issued_at) == (10**9, 10**9, 0.0)
    assert empty.document("wgfleet/peer-set") is None
    assert empty.events(1)[0].what == "backup restored"
    empty.close()


def test_it_is_not_numbered_anew_beside_a_receiver_that_runs(tmp_path: Path, empty: PostgresStore) -> None:
    """That one would go on with the old numbers."""
    setup.make(tmp_path, FLEET)
    moving.move(tmp_path / "receiver.db", empty, FLEET, now=7.0)
    now = time.time()
    with empty.available(), empty.transaction() as db:
        db.execute("INSERT INTO heard VALUES ('one', ?, '{}')", (now - 1,))

    with pytest.raises(ValueError, match=r"1 receivers run on it, .*: stop them all"):
        moving.raise_epoch(empty, FLEET, now=now)
    empty.close()
