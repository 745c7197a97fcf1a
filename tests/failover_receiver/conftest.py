"""What most tests of the receiver stand on."""

import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from failover_receiver.store import sqlite
from tests.failover_receiver.keeping import File, Journal, Place, Shared
from tests.failover_receiver.parts import Parts, build
from tests.lab.postgres import Postgres
from tests.lab.programs import MissingProgramError


@pytest.fixture
def anyio_backend() -> str:
    """Coroutine tests run on asyncio, as the receiver does."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL; where there is none, its tests are skipped with the reason, but not in CI."""
    try:
        server = Postgres()
    except MissingProgramError as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))
    with server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a store may be, once for each engine: nothing is there yet."""
    if request.param == "sqlite":
        return File(tmp_path / "receiver.db")
    server: Postgres = request.getfixturevalue("postgres")
    return Shared(server.database())


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    """A receiver without workers."""
    wired = build(tmp_path)
    yield wired
    wired.close()


@pytest.fixture
def lock(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    """Another process's hold on the store of `parts`; BEGIN IMMEDIATE locks it."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.01)
    parts.file._db.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(parts.receiver.settings.store_file, isolation_level=None)
    yield other
    other.close()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A store that can be held up."""
    store = Journal(tmp_path / "receiver.db")
    yield store
    store.go_on.set()
    store.close()


@pytest.fixture
def held(tmp_path: Path, journal: Journal) -> Iterator[Parts]:
    """A receiver on the store that can be held up."""
    parts = build(tmp_path, store=journal)
    yield parts
    journal.go_on.set()
    parts.driver.close()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """As the receiver makes it."""
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client
