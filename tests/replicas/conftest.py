"""Pairs of receivers in one process, and three in processes of their own, on one real PostgreSQL."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from failover_receiver.store.dsn import Dsn
from failover_receiver.store.postgres import PostgresStore
from tests.failover_receiver.conftest import anyio_backend, postgres
from tests.failover_receiver.parts import FLEET, SIGNER, Parts, build
from tests.lab.postgres import Postgres
from tests.replicas.three import QUIET, Three

__all__ = ["anyio_backend", "postgres"]


@dataclass
class Pair:
    """Two receivers on one database, each with a clock that stands still; they tell each other nothing by themselves."""

    uri: str
    one: Parts
    other: Parts

    def stores(self) -> tuple[PostgresStore, PostgresStore]:
        """What each writes to."""
        assert isinstance(self.one.store, PostgresStore)
        assert isinstance(self.other.store, PostgresStore)
        return self.one.store, self.other.store


@pytest.fixture
def pair(postgres: Postgres, tmp_path: Path) -> Iterator[Pair]:
    """Both, new."""
    uri = postgres.database()
    made = []
    for name in ("one", "other"):
        store = PostgresStore(Dsn.parse(uri), replica=name, signer=SIGNER.key_id)
        store.take_over(FLEET, SIGNER.key_id, (), now=0.0)
        made.append(build(tmp_path, store=store))
    yield Pair(uri, *made)
    for parts in made:
        parts.close()


@pytest.fixture(scope="session")
def three(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    """Three, which every test leaves running and whole."""
    folder = tmp_path_factory.mktemp("three")
    said = {"client_pools": ["10.99.0.0/16"], "public_urls": ["http://127.0.0.1:9587"]}
    with Three(folder, postgres, **QUIET, **said) as running:
        yield running
