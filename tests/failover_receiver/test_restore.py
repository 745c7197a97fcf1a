"""Tests of failover_receiver/restore.py on real stores."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from failover_receiver import setup
from failover_receiver.access import Role
from failover_receiver.backup import back_up
from failover_receiver.holding import held
from failover_receiver.restore import Restored, new_store, restore
from failover_receiver.state import State, Tick, Worker
from failover_receiver.store import Document, SqliteStore, StoredToken
from tests.failover_receiver.parts import FLEET, NOON, SIGNER, build
from tests.failover_receiver.story import spec
from wgfleet.peerset import TYPE

pytestmark = pytest.mark.anyio
OLD = State(fleet=FLEET, epoch=1, generation=7, issued_at=NOON, workers={"fra1": Worker(spec(1))})


class Files(NamedTuple):
    """A store and a backup of it."""

    store: Path
    backup: Path

    def write(self, state: State, *tokens: str) -> None:
        """Change the store."""
        store = SqliteStore(self.store)
        store.save(
            state,
            Document(TYPE, state.epoch, state.generation, SIGNER.sign(b"{}")),
            [],
            at=NOON,
            who="somebody",
        )
        for name in tokens:
            store.tokens.add(StoredToken(name, Role.CLIENT, f"digest of {name}", NOON))
        store.close()

    def restore(self, now: float = NOON) -> Restored:
        """Put the backup in the store's place."""
        return restore(self.backup, self.store, FLEET, now=now)

    def read(self) -> State | None:
        """What the store holds."""
        store = SqliteStore(self.store)
        state = store.load()
        store.close()
        return state


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A store, backed up."""
    made = Files(tmp_path / "receiver.db", tmp_path / "backup.db")
    made.write(OLD, "kept")
    back_up(made.store, made.backup)
    return made


def test_a_restored_store_is_the_backup_under_a_higher_epoch(files: Files) -> None:
    """Clients refuse lower numbers: what was published since the backup must not be what is refused."""
    files.write(replace(OLD, generation=900))

    done = files.restore()

    assert done.epoch == int(NOON)
    assert files.read() == replace(OLD, epoch=int(NOON), issued_at=0.0)


def test_two_restores_of_one_backup_never_give_a_number_twice(files: Files) -> None:
    """The second is above the first, even in the same second, or with a clock that was set back."""
    epochs = [files.restore(now).epoch for now in (NOON, NOON, NOON - 1000.0)]

    assert epochs == [int(NOON), int(NOON) + 1, int(NOON) + 2]


def test_a_backup_of_a_higher_epoch_is_raised_all_the_same(files: Files) -> None:
    """The clock may be wrong; the numbers that were seen are not."""
    files.write(replace(OLD, epoch=2**40))
    files.backup.unlink()
    back_up(files.store, files.backup)
    files.store.unlink()

    assert files.restore().epoch == 2**40 + 1


async def test_what_was_restored_is_published_anew_at_the_start(files: Files, tmp_path: Path) -> None:
    """Under the new epoch, and nothing is shown before."""
    files.restore()

    parts = build(tmp_path)

    assert parts.publication.shown is None
    await parts.driver.take(Tick(), who="start")
    assert parts.publication.shown is not None
    assert parts.publication.shown.document.epoch == int(NOON)
    parts.close()


def test_the_old_store_is_kept_whole(files: Files) -> None:
    """It can be put back."""
    files.write(replace(OLD, generation=900))

    done = files.restore()

    assert done.kept == Path(f"{files.store}.before-restore-20261122T120000Z")
    kept = SqliteStore(done.kept)
    state = kept.load()
    kept.close()
    assert state is not None
    assert (state.epoch, state.generation) == (1, 900)


def test_what_has_changed_since_the_backup_is_said(files: Files) -> None:
    """By name: among it are bans and revocations that count no more."""
    now = {"fra1": replace(OLD.workers["fra1"], banned=True), "ams1": Worker(spec(2))}
    files.write(replace(OLD, workers=now), *(f"new{number:02}" for number in range(12)))
    store = SqliteStore(files.store)
    store.tokens.remove("kept")
    with store.available(), store.transaction() as db:
        db.execute("INSERT INTO clients VALUES ('phone', 'K', '[]', '[]', 0)")
        db.execute("INSERT INTO revocations VALUES ('L', 'laptop', 0)")
    store.close()

    assert files.restore().news == (
        "clients that were added and are not known now, add them again (1): phone",
        "clients that lost a key which counts again now, revoke it again (1): laptop",
        "workers that were added and are not known now, add them again (1): ams1",
        "workers that were banned and are not now, ban them again (1): fra1",
        "tokens that were made and open nothing now, make them again (12): "
        + ", ".join(f"new{number:02}" for number in range(10))
        + " and 2 more",
        "tokens that were revoked and open again, revoke them again (1): kept",
    )


def test_the_history_tells_of_it(files: Files) -> None:
    """With the backup's name and time."""
    files.restore()

    store = SqliteStore(files.store)
    (event,) = store.events(1)
    store.close()
    assert (event.what, event.subject, event.epoch) == ("backup restored", "backup.db", int(NOON))
    assert event.reason.startswith("made 20")


def test_a_store_that_cannot_be_read_any_more_is_replaced_and_kept(files: Files) -> None:
    """That is what backups are for; its log is not left for the new one to read."""
    files.store.write_bytes(b"rubbish" * 1000)
    Path(f"{files.store}-wal").write_bytes(b"more of it")

    done = files.restore()

    assert done.news is None
    assert done.kept is not None
    assert done.kept.read_bytes() == b"rubbish" * 1000
    assert Path(f"{done.kept}-wal").read_bytes() == b"more of it"
    assert files.read() == replace(OLD, epoch=int(NOON), issued_at=0.0)


def test_nothing_is_restored_under_a_receiver_that_runs(files: Files) -> None:
    """It would go on with the old one."""
    with held(files.store), pytest.raises(ValueError, match="in use by a receiver that runs: stop it first"):
        files.restore()

    assert files.read() == OLD


def test_another_fleets_backup_is_refused(files: Files) -> None:
    """Nothing changes."""
    with pytest.raises(ValueError, match=r"is of fleet 'test', the configuration says 'other'"):
        restore(files.backup, files.store, "other", now=NOON)

    assert files.read() == OLD
    assert sorted(file.name for file in files.store.parent.iterdir()) == [
        "backup.db", "receiver.db", "receiver.db.lock"
    ]  # fmt: skip


def test_another_fleets_store_that_never_ran_is_refused(files: Files, tmp_path: Path) -> None:
    """It says whose it is from its first moment."""
    setup.make(tmp_path / "elsewhere", "other")

    with pytest.raises(ValueError, match=r"is of fleet 'other', the configuration says 'test'"):
        restore(tmp_path / "elsewhere" / "receiver.db", files.store, FLEET, now=NOON)

    assert files.read() == OLD


def test_the_store_is_no_backup_of_itself(files: Files) -> None:
    """By another name neither: whoever names it has mistaken the file."""
    link = files.store.with_name("link.db")
    link.symlink_to(files.store)

    for file in (files.store, link):
        with pytest.raises(ValueError, match="is the store itself: name a backup of it"):
            restore(file, files.store, FLEET, now=NOON)

    assert files.read() == OLD


def test_a_damaged_backup_is_refused(files: Files) -> None:
    """Better the store that is there."""
    files.backup.write_bytes(files.backup.read_bytes()[:5000])

    with pytest.raises(ValueError, match=r"damaged|no store of a receiver"):
        files.restore()

    assert files.read() == OLD


def test_a_new_store_begins_above_every_number_that_was_given(files: Files) -> None:
    """Even where nobody knows them any more."""
    files.store.unlink()

    new_store(files.store, FLEET, now=NOON)

    assert files.read() == State(fleet=FLEET, epoch=int(NOON))


def test_a_new_store_replaces_none(files: Files) -> None:
    """Whoever has one does not want that."""
    with pytest.raises(ValueError, match="is already there: a new one is only for where there is none"):
        new_store(files.store, FLEET, now=NOON)

    assert files.read() == OLD
