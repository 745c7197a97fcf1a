"""Puts a backup in the store's place, under a number that no client has seen yet."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from failover_receiver import backup
from failover_receiver.backup import Copied
from failover_receiver.holding import held
from failover_receiver.state import State
from failover_receiver.store import Noted, SqliteStore, Store, StoreUnavailableError

RESTORED, MADE = "backup restored", "store made"
"""What the history calls it."""

LOGS = ("-wal", "-shm")
"""What SQLite keeps beside a store that was not closed. They belong to that store alone."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done, and what the operator has to know of it."""

    copied: Copied
    epoch: int
    kept: Path | None
    """Where the old store is now."""
    news: tuple[str, ...] | None
    """What had changed since the backup, and is as before now; None: the old store cannot be read."""


def restore(file: Path, store: Path, fleet: str, *, now: float) -> Restored:
    """Replace the store by a backup of it.

    Raises:
        ValueError: a receiver runs, or the file is no sound backup of this fleet; nothing has changed.
        StoreUnavailableError: the backup is of a newer program; nothing has changed.

    """
    with held(store):
        if store.exists() and file.exists() and file.samefile(store):
            raise ValueError(f"{file} is the store itself: name a backup of it")
        copied = backup.inspect(file)
        if copied.fleet not in {None, fleet}:
            raise ValueError(f"{file} is of fleet {copied.fleet!r}, the configuration says {fleet!r}")
        old = _contents(store)
        fresh = _beside(store)
        try:
            backup.copy(file, fresh)
            known = max(copied.epoch, old.epoch if old is not None else 0)
            epoch = max(known + 1, int(now))
            new = _renumber(fresh, file, fleet, epoch, now)
            kept = _set_aside(store, now)
            fresh.replace(store)
            backup.sync(store.parent)
        finally:
            for left in (fresh, *(Path(f"{fresh}{log}") for log in LOGS)):
                left.unlink(missing_ok=True)
    return Restored(copied, epoch, kept, None if old is None else tuple(_news(old, new)))


def begin(store: Store, state: State, why: str, *, now: float) -> None:
    """Let a new store say whose it is before a receiver has run on it: no other fleet may take it for its own."""
    store.save(state, None, [], at=now, who="init")
    with store.available(), store.transaction() as db:
        store.note(db, Noted(now, "init", MADE, state.fleet, why, state.epoch, state.generation))


def new_store(store: Path, fleet: str, *, now: float) -> None:
    """Begin anew under a number that is above all that were ever given.

    Raises:
        ValueError: there is a store.

    """
    with held(store):
        if store.exists():
            raise ValueError(f"{store} is already there: a new one is only for where there is none any more")
        for log in LOGS:
            Path(f"{store}{log}").unlink(missing_ok=True)
        fresh = _beside(store)
        opened = SqliteStore(fresh)
        try:
            begin(opened, State(fleet=fleet, epoch=int(now)), "the store before is lost", now=now)
        finally:
            opened.close()
        fresh.replace(store)
        backup.sync(store.parent)


def _beside(store: Path) -> Path:
    """An empty file in the same folder, of the same owner, for its eyes only."""
    descriptor, name = tempfile.mkstemp(dir=store.parent, prefix=f".{store.name}.")
    try:
        if os.geteuid() == 0:  # The receiver is another user.
            owner = (store if store.exists() else store.parent).stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
    finally:
        os.close(descriptor)
    return Path(name)


def _renumber(fresh: Path, file: Path, fleet: str, epoch: int, now: float) -> "_Contents":
    """Raise the epoch; what was published under the old one is not shown any more, so it is published anew at start."""
    store = SqliteStore(fresh)
    try:
        state = replace(store.load() or State(fleet=fleet), epoch=epoch, issued_at=0.0)
        store.save(state, None, [], at=now, who="restore")
        with store.available(), store.transaction() as db:
            db.execute("DELETE FROM documents")
            made = datetime.fromtimestamp(file.stat().st_mtime, UTC).strftime("made %Y-%m-%d %H:%M:%S UTC")
            store.note(db, Noted(now, "restore", RESTORED, file.name, made, epoch, state.generation))
        return _read(store)
    finally:
        store.close()


def _set_aside(store: Path, now: float) -> Path | None:
    """Give the old store another name. First itself: a receiver that started in between must not take it for whole."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    kept = Path(f"{store}.before-restore-{stamp}")
    there = store.exists()
    for end in ("", *LOGS):
        one = Path(f"{store}{end}")
        if one.exists():
            one.rename(f"{kept}{end}")
    backup.sync(store.parent)
    return kept if there else None


# What the backup does not know.


@dataclass(frozen=True, slots=True)
class _Contents:
    epoch: int
    clients: frozenset[str]
    revoked: Mapping[str, str]
    """Names of clients, by the keys that were taken from them."""
    workers: frozenset[str]
    banned: frozenset[str]
    tokens: frozenset[str]


def _contents(store: Path) -> _Contents | None:
    """Read from a copy: SQLite throws a damaged store's log away when it closes it, and that may be wanted yet."""
    if not store.exists():
        return None
    with tempfile.TemporaryDirectory(dir=store.parent, prefix=f".{store.name}.") as folder:
        copied = Path(folder) / store.name
        shutil.copyfile(store, copied)
        log = Path(f"{store}-wal")
        if log.exists():
            shutil.copyfile(log, f"{copied}-wal")
        try:
            opened = SqliteStore(copied)
            try:
                return _read(opened)
            finally:
                opened.close()
        except (StoreUnavailableError, ValueError):
            return None


def _read(store: SqliteStore) -> _Contents:
    state, roll = store.load(), store.clients.roll()
    workers = {} if state is None else state.workers
    (epoch,) = store.rows("SELECT coalesce(max(epoch), 0) FROM documents")[0]
    return _Contents(
        epoch=max(epoch, 0 if state is None else state.epoch),
        clients=frozenset(roll.clients),
        revoked={key: one.name for key, one in roll.revocations.items()},
        workers=frozenset(workers),
        banned=frozenset(name for name, worker in workers.items() if worker.banned),
        tokens=frozenset(token.name for token in store.tokens.all()),
    )


def _news(old: _Contents, new: _Contents) -> Iterable[str]:
    """Each in a line, with what to do about it."""
    revoked = frozenset(name for key, name in old.revoked.items() if key not in new.revoked)
    told = (
        ("clients that were added and are not known now, add them again", old.clients - new.clients),
        ("clients that lost a key which counts again now, revoke it again", revoked),
        ("workers that were added and are not known now, add them again", old.workers - new.workers),
        ("workers that were banned and are not now, ban them again", (old.banned - new.banned) & new.workers),
        ("tokens that were made and open nothing now, make them again", old.tokens - new.tokens),
        ("tokens that were revoked and open again, revoke them again", new.tokens - old.tokens),
    )
    return (f"{what} ({len(names)}): {_named(names)}" for what, names in told if names)


def _named(names: Iterable[str], most: int = 10) -> str:
    """The first of them."""
    ordered = sorted(names)
    more = f" and {len(ordered) - most} more" if len(ordered) > most else ""
    return ", ".join(ordered[:most]) + more
