"""Tests of two receivers on a real PostgreSQL that fails them, or that they give up waiting for."""

import asyncio
import threading

import pytest

from failover_receiver.state import DrainWished, State, Tick, WorkerRegistered
from failover_receiver.store import Document, StoreUnavailableError, postgres
from tests.failover_receiver.parts import LIMIT
from tests.failover_receiver.story import spec
from tests.replicas.conftest import Pair
from tests.replicas.test_deciding import shown
from wgfleet.peerset import TYPE

pytestmark = pytest.mark.anyio


async def test_a_connection_that_cannot_be_settled_is_not_used(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its commits might not wait for the disk."""
    one, _ = pair.stores()
    assert one._db is not None
    one._db.close()
    with monkeypatch.context() as patched:
        patched.setattr(postgres, "settled", lambda: "SELECT 1 / 0")
        with pytest.raises(StoreUnavailableError, match="division by zero"):
            one.rows("SELECT 1")
    one._not_before = 0.0

    assert one.rows("SHOW idle_in_transaction_session_timeout") != [("0",)]


async def test_a_standby_is_no_place_to_be(pair: Pair) -> None:
    """It answers questions and takes no writes: one that is a primary no more would be kept, though the name leads elsewhere."""
    one, other = pair.stores()
    name = pair.uri.rpartition("/")[2]
    with other.available(), other.transaction() as db:
        db.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    other.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )

    with pytest.raises(StoreUnavailableError, match="read-only"):
        one.rows("SELECT 1")


async def test_numbers_go_on_though_postgres_has_lost_commits(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    """A standby that was behind took over: what it has is published, under a number that no client has seen."""
    await pair.one.serve("fra1")
    await pair.other.driver.catch_up()
    _, other = pair.stores()
    ((state,),) = other.rows("SELECT body FROM state")
    document = other.document(TYPE)
    assert document is not None
    await pair.one.driver.take(DrainWished("fra1", drain=True), who="operator")
    lost = shown(pair.one)
    with other.available(), other.transaction() as db:
        db.execute("UPDATE state SET body = ?", (state,))
        db.execute("DELETE FROM documents")
        other.put(db, document)

    await pair.one.driver.take(Tick(), who="clock")
    await pair.other.driver.catch_up()

    assert pair.one.states == pair.other.states == {"fra1": "serving"}
    assert shown(pair.one) == shown(pair.other) == lost + 1
    assert pair.one.publication.shown is not None
    assert pair.one.publication.shown.document == other.document(TYPE)
    assert "the store has lost what it had committed" in caplog.text


async def test_whoever_is_cancelled_while_it_catches_up_writes_nothing_old(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store counts the newest as read by then: what is decided next must stand on it."""
    await pair.one.serve("fra1")
    one, _ = pair.stores()
    await pair.other.driver.take(DrainWished("fra1", drain=True), who="operator")
    read, gone, newer = threading.Event(), threading.Event(), one.newer

    def slow(held: State) -> tuple[State, Document | None] | None:
        found = newer(held)
        read.set()
        assert gone.wait(LIMIT)
        return found

    monkeypatch.setattr(one, "newer", slow)
    catching_up = asyncio.create_task(pair.one.driver.catch_up())
    assert await asyncio.to_thread(read.wait, LIMIT)
    catching_up.cancel()
    await asyncio.gather(catching_up, return_exceptions=True)
    gone.set()

    state = await pair.one.driver.take(WorkerRegistered("ams1", spec(2)), who="operator")

    assert state.workers["fra1"].drain
