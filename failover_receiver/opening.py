"""Opens the store that the configuration names: a file of this receiver's own, or a PostgreSQL that several share."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from failover_receiver.holding import held, must_be_there
from failover_receiver.settings import ConfigurationError, Settings
from failover_receiver.store import SqliteStore, Store, check_fleet
from failover_receiver.store.dsn import Dsn
from wgfleet.files import read_secret
from wgfleet.signing import Signer

if TYPE_CHECKING:  # psycopg is imported where it is configured, and nowhere else.
    from failover_receiver.replicas.replica import Replica
    from failover_receiver.store.postgres import PostgresStore


def place(settings: Settings) -> Path | Dsn:
    """Where the store is; with the password, if a file of its own has it."""
    if isinstance(settings.store, Path) or settings.store_password_file is None:
        return settings.store
    return replace(settings.store, password=read_secret(settings.store_password_file, what="password"))


def open_postgres(dsn: Dsn, *, replica: str = "", signer: str | None = None) -> "PostgresStore":
    """Connect to one.

    Raises:
        ConfigurationError: the package for it is not installed.
        StoreUnavailableError: it cannot be reached or used.

    """
    try:
        from failover_receiver.store.postgres import PostgresStore  # noqa: PLC0415 - as said above.
    except ModuleNotFoundError as missing:
        raise ConfigurationError(
            f"store: a PostgreSQL needs the package {missing.name}, which is not installed here: "
            "`pip install --require-hashes -r requirements/receiver.txt`, or the extra `postgres`"
        ) from None
    return PostgresStore(dsn, replica=replica, signer=signer)


def open_store(settings: Settings, signer: Signer) -> tuple[Store, "Replica | None"]:
    """For a receiver: the store, and what makes it one of several if it may be."""
    where = place(settings)
    if isinstance(where, Path):
        return SqliteStore(where), None
    try:
        from failover_receiver.replicas.replica import Replica, new_name  # noqa: PLC0415 - as said above.
        from failover_receiver.replicas.timing import ANSWER_SECONDS  # noqa: PLC0415 - likewise.
    except ModuleNotFoundError:
        open_postgres(where)  # Says what is missing.
        raise
    name = new_name()
    store = open_postgres(where, replica=name, signer=signer.key_id)
    store.watch(ANSWER_SECONDS)
    try:
        store.take_over(settings.fleet, signer.key_id, signer.follows, now=time.time())
    except BaseException:
        store.close()
        raise
    return store, Replica(where, name, time.time)


@contextmanager
def at_hand(settings: Settings) -> Iterator[None]:
    """Hold what no second process may have, as long as this lasts."""
    if isinstance(settings.store, Path):
        must_be_there(settings.store)
        with held(settings.store):
            yield
    else:
        yield  # Shared, by design.


@contextmanager
def opened(settings: Settings) -> Iterator[Store]:
    """The store, for a command. Of a file no receiver may run.

    Raises:
        ValueError: one does, or there is no store, or it is another fleet's.

    """
    with at_hand(settings):
        where = place(settings)
        store: Store = SqliteStore(where) if isinstance(where, Path) else open_postgres(where)
        try:
            check_fleet(store.load(), settings.fleet)
            yield store
        finally:
            store.close()
