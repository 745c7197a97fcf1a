"""Tests of failover_receiver/opening.py: each fault of a PostgreSQL is said with what to do, and without its password."""

import builtins
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from failover_receiver import opening
from failover_receiver.settings import ConfigurationError, Settings
from failover_receiver.store import StoreUnavailableError
from failover_receiver.store.connecting import parameters
from failover_receiver.store.dsn import Dsn
from failover_receiver.store.postgres import PostgresStore
from tests.daemons import free_port
from tests.failover_receiver.parts import FLEET, SIGNER
from tests.lab.postgres import Postgres


def settings(uri: str, **said: Any) -> Settings:
    """A configuration with that store."""
    return Settings(fleet=FLEET, store=uri, signing_key_file="key", **said)  # type: ignore[arg-type]  # As TOML says it.


def test_one_that_is_not_there_is_said_without_its_password() -> None:
    """Whoever reads the log knows where to look, and nothing else."""
    where = f"127.0.0.1:{free_port()}"

    with pytest.raises(StoreUnavailableError) as caught:
        opening.open_store(settings(f"postgresql://me:hush@{where}/fleet"), SIGNER)

    assert str(caught.value) == (
        f"PostgreSQL at postgresql://me@{where}/fleet cannot be reached: Connection refused; "
        "does it run, and do the user, password and pg_hba.conf let this in?"
    )


def test_a_password_may_stand_in_a_file(tmp_path: Path) -> None:
    """So that it is in no configuration and no argument list."""
    file = tmp_path / "password"
    file.write_text("hush\n")
    file.chmod(0o600)

    dsn = opening.place(settings("postgresql://me@db.example/fleet", store_password_file=file))

    assert isinstance(dsn, Dsn)
    assert parameters(dsn, "x")["password"] == "hush"
    assert "hush" not in f"{dsn}{dsn!r}"


def test_without_the_package_it_is_said_which(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is not installed where nobody asked for it."""
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith(
            ("psycopg", "failover_receiver.store.postgres", "failover_receiver.replicas.replica")
        ):
            raise ModuleNotFoundError(name="psycopg")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(
        ConfigurationError, match=r"^store: a PostgreSQL needs the package psycopg, .*extra `postgres`"
    ):
        opening.open_store(settings("postgresql://db.example/fleet"), SIGNER)


def test_a_receiver_on_a_file_imports_none_of_it() -> None:
    """The package need not be there, and costs no start anything."""
    asked = "import sys, failover_receiver.__main__; sys.exit('psycopg' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


def test_a_newer_schema_is_refused(postgres: Postgres) -> None:
    """An older program would not know what it overwrites."""
    uri = postgres.database()
    PostgresStore(Dsn.parse(uri)).close()
    postgres.execute(uri.rpartition("/")[2], "INSERT INTO wgfleet_schema VALUES (99)")

    with pytest.raises(
        StoreUnavailableError, match="has schema 99, this program knows up to 1: use the newer program"
    ):
        PostgresStore(Dsn.parse(uri))


def test_a_database_of_something_else_is_refused(postgres: Postgres) -> None:
    """Its tables are not ours to touch."""
    uri = postgres.database()
    postgres.execute(uri.rpartition("/")[2], "CREATE TABLE state (theirs TEXT)")

    with pytest.raises(
        StoreUnavailableError, match=r"holds tables of something else: .*a database of its own"
    ):
        PostgresStore(Dsn.parse(uri))


def test_a_user_who_may_make_no_tables_is_told_so(postgres: Postgres) -> None:
    """PostgreSQL 15 lets only its owner make them."""
    uri = postgres.database()
    postgres.execute("postgres", "CREATE ROLE guest LOGIN")

    with pytest.raises(StoreUnavailableError, match=r"permission denied.*must own its database"):
        PostgresStore(Dsn.parse(uri.replace("wgfleet@", "guest@")))
