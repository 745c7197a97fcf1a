"""Brings the tables of a PostgreSQL up to date."""

from importlib import resources

import psycopg
from psycopg import errors

from failover_receiver.store.connecting import in_a_line
from failover_receiver.store.database import StoreUnavailableError
from failover_receiver.store.dsn import Dsn

MIGRATING = 7_230_901
"""The advisory lock of whoever does."""


def in_its_words(query: str) -> str:
    """SQL as the tables have it, with psycopg's placeholders. All of it is our own: nothing that came is in its text."""
    return query.replace("?", "%s")


def migrate(db: psycopg.Connection, dsn: Dsn) -> None:
    """Run the numbered scripts that this database has not seen; of several receivers that start, one does."""
    folder = resources.files("failover_receiver") / "migrations" / "postgres"
    scripts = sorted(
        (int(entry.name.removesuffix(".sql")), entry.read_text())
        for entry in folder.iterdir()
        if entry.name.endswith(".sql")
    )
    try:
        with db.transaction():
            db.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATING,))
            db.execute("CREATE TABLE IF NOT EXISTS wgfleet_schema (number INTEGER PRIMARY KEY)")
            ((seen,),) = db.execute("SELECT coalesce(max(number), 0) FROM wgfleet_schema").fetchall()
            if seen > scripts[-1][0]:
                raise StoreUnavailableError(
                    f"the store has schema {seen}, this program knows up to {scripts[-1][0]}: use the newer program"
                )
            for number, script in scripts:
                if number > seen:
                    db.execute(in_its_words(script))
                    db.execute("INSERT INTO wgfleet_schema VALUES (%s)", (number,))
    except errors.DuplicateTable as error:
        raise StoreUnavailableError(
            f"PostgreSQL at {dsn} holds tables of something else: {in_a_line(error)}; give the receiver a database of its own"
        ) from error
    except errors.InsufficientPrivilege as error:
        raise StoreUnavailableError(
            f"PostgreSQL at {dsn}: {in_a_line(error)}; the receiver's user must own its database: "
            "`createdb --owner wgfleet wgfleet`"
        ) from error
