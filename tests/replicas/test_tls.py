"""Tests of a PostgreSQL that is reached over TLS, by a password that never goes over the wire (scram-sha-256)."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest

from failover_receiver.opening import open_store
from failover_receiver.settings import load
from failover_receiver.store import StoreUnavailableError
from tests.failover_receiver.parts import LIMIT, SIGNER
from tests.failover_receiver.running import Running
from tests.lab.authority import Authority
from tests.lab.postgres import NOBODY, Postgres
from tests.lab.waiting import wait_until

USER, PASSWORD, WRONG = "guarded", "correct-horse-battery", "wrong-horse-battery"
ADDRESS = "127.0.0.1"
CONNECTIONS = 3
"""Of a receiver that was asked nothing yet: the store's, and two of the exchange."""


@dataclass
class Guarded:
    """A PostgreSQL that lets one user in by TLS and scram-sha-256 alone."""

    server: Postgres
    authority: Path
    strange: Path
    """The certificate of an authority that has signed nothing here."""

    def uri(self, database: str, authority: Path) -> str:
        """As an operator says it, without the password."""
        return (
            f"postgresql://{USER}@{ADDRESS}:{self.server.port}/{database}"
            f"?sslmode=verify-full&sslrootcert={authority}"
        )

    def receiver(
        self, directory: Path, *, password: str = PASSWORD, authority: Path | None = None
    ) -> Running:
        """One on a database of its own; not started."""
        database = self.server.database().rpartition("/")[2]
        self.server.execute("postgres", f"ALTER DATABASE {database} OWNER TO {USER}")
        uri = self.uri(database, authority or self.authority)
        receiver = Running(directory, store=uri, store_password_file="store.password")
        file = receiver.directory / "store.password"
        file.write_text(f"{password}\n")
        file.chmod(0o600)
        return receiver

    def ways(self) -> list[tuple[bool, str]]:
        """How each connection of that user came: whether by TLS, and by which version."""
        with psycopg.connect(self.server.uri("postgres")) as db:
            query = (
                "SELECT ssl, version FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = %s"
            )
            return db.execute(query, (USER,)).fetchall()


@pytest.fixture(scope="module")
def guarded(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """The PostgreSQL of all tests, which learns TLS for these; everybody else is let in as before."""
    directory = tmp_path_factory.mktemp("guarded")
    ours, strange = Authority(directory / "ours"), Authority(directory / "strange")
    for file, name in zip(ours.sign("postgres", ADDRESS), ("server.crt", "server.key"), strict=True):
        there = postgres.folder / name
        shutil.copy(file, there)
        there.chmod(0o600)
        if os.geteuid() == 0:
            os.chown(there, NOBODY, NOBODY)
    rules = postgres.folder / "data" / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"hostssl all {USER} {ADDRESS}/32 scram-sha-256\nhost all {USER} all reject\n{before}")
    postgres.execute("postgres", f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
    for setting in (
        "ssl = on",
        *(
            f"ssl_{end}_file = '{postgres.folder}/server.{name}'"
            for end, name in (("cert", "crt"), ("key", "key"))
        ),
    ):
        postgres.execute("postgres", f"ALTER SYSTEM SET {setting}")
    reload(postgres, "on")
    yield Guarded(postgres, ours.certificate_file, strange.certificate_file)
    rules.write_text(before)
    postgres.execute("postgres", "ALTER SYSTEM RESET ALL")
    reload(postgres, "off")


def reload(postgres: Postgres, ssl: str) -> None:
    """Let it read its files again, and wait until it has."""
    postgres.execute("postgres", "SELECT pg_reload_conf()")

    def seen() -> bool:
        with psycopg.connect(postgres.uri("postgres")) as db:
            return db.execute("SHOW ssl").fetchall() == [(ssl,)]

    wait_until(seen, LIMIT, f"PostgreSQL to have TLS {ssl}")


def test_a_receiver_reaches_it_by_certificate_and_password_file(guarded: Guarded, tmp_path: Path) -> None:
    """By TLS on each of its connections, with no secret in its log."""
    with guarded.receiver(tmp_path / "receiver") as receiver:
        wait_until(
            lambda: httpx.get(f"{receiver.url}/readyz", trust_env=False, timeout=LIMIT).is_success,
            LIMIT,
            "it to be ready",
        )
        wait_until(lambda: len(guarded.ways()) >= CONNECTIONS, LIMIT, "it to be connected")
        assert set(guarded.ways()) == {(True, "TLSv1.3")}
        receiver.stop()
        assert PASSWORD not in str(receiver.log)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("password", 'password authentication failed for user "guarded"'),
        ("authority", "certificate verify failed"),
    ],
)
def test_what_keeps_it_out_is_said_without_the_secret(
    guarded: Guarded, tmp_path: Path, wrong: str, said: str
) -> None:
    """Where it was, what the other side said, and where to look."""
    receiver = guarded.receiver(
        tmp_path / "receiver",
        password=WRONG if wrong == "password" else PASSWORD,
        authority=guarded.strange if wrong == "authority" else None,
    )

    with pytest.raises(StoreUnavailableError) as refused:
        open_store(load(receiver.directory / "receiver.toml"), SIGNER)

    text = str(refused.value)
    assert text.startswith(f"PostgreSQL at postgresql://{USER}@{ADDRESS}:{guarded.server.port}/")
    assert said in text
    assert "\n" not in text
    assert WRONG not in text
    assert PASSWORD not in text
