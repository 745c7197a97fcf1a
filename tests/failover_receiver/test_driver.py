"""Tests of failover_receiver/driver.py: with a real store, and a clock that is held."""

import asyncio
import logging
import sqlite3
from pathlib import Path

import pytest

from failover_receiver.publication import Publication
from failover_receiver.state import (
    DrainWished,
    RefusedError,
    WorkerRegistered,
    WorkerRemoved,
)
from failover_receiver.store import Document, HistoryEvent, SqliteStore, StoreUnavailableError
from tests.failover_receiver.keeping import Journal
from tests.failover_receiver.parts import NOON, Parts, build, facts, published, seen
from tests.failover_receiver.story import spec
from wgfleet.peerset import TYPE

pytestmark = pytest.mark.anyio
ADD = WorkerRegistered("fra1", spec(1))


class Screen(Publication):
    """A publication that notes what the store held at the moment when a document was shown."""

    def __init__(self, store: SqliteStore) -> None:
        """Look into this store."""
        super().__init__()
        self._store = store
        self.held: list[bool] = []

    def show(self, document: Document) -> None:
        """Note, and show."""
        self.held.append(self._store.document(document.type) == document)
        super().show(document)


# Durable, then shown.


async def test_a_document_is_durable_before_anyone_sees_it(tmp_path: Path, journal: Journal) -> None:
    """At the moment when it is shown, the store has it already; while it is being kept, nobody sees it."""
    screen = Screen(journal)
    parts = build(tmp_path, store=journal, publication=screen)
    journal.go_on.clear()
    taking = asyncio.ensure_future(parts.driver.take(ADD, who="operator"))
    await journal.until_begun()

    assert screen.shown is None
    assert parts.state.generation == 0
    journal.go_on.set()
    await taking

    assert screen.held == [True]
    assert screen.shown is not None
    assert published(screen.shown.document).workers[0].name == "fra1"
    parts.driver.close()


async def test_what_is_shown_is_what_was_decided_signed(parts: Parts) -> None:
    """The document, the state in memory and the state on the disk say the same, under the same number."""
    await parts.serve("fra1", "ams1")

    said = published(parts.publication.shown.document if parts.publication.shown else None)

    assert parts.store.load() == parts.state
    assert parts.store.document(TYPE) == (parts.publication.shown and parts.publication.shown.document)
    assert said.number == (parts.state.epoch, parts.state.generation)
    assert said.workers == parts.state.published
    assert said.issued_at == NOON


async def test_a_repetition_is_not_written(held: Parts, journal: Journal) -> None:
    """The Watchdog and every Up come every few seconds: that must not wear the disk."""
    await held.serve("fra1")
    before = len(journal.kept)

    for _ in range(10):
        held.clock.now += 3.0
        await held.hear(seen("up", "fra1", held.clock.now))

    assert len(journal.kept) == before
    assert held.state.read_at == held.clock.now, "but it is known"


async def test_every_decision_is_kept_logged_and_counted_with_who_and_why(
    parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    """The history tells the same as the log."""
    await parts.serve("fra1")
    caplog.set_level(logging.INFO)

    await parts.driver.take(DrainWished("fra1", drain=True), who="alice")

    assert facts(caplog.records, "decided") == [
        {
            "worker": "fra1", "before": "serving", "after": "draining", "reason": "drained",
            "who": "alice", "generation": 3,
        }
    ]  # fmt: skip
    assert facts(caplog.records, "published") == [{"generation": 3, "epoch": 1, "monitoring": "live"}]
    assert parts.store.events(1) == [
        HistoryEvent(NOON, "alice", "decided", "fra1", "serving", "draining", "drained", 1, 3, 3)
    ]
    labels = {"state": "draining", "reason": "drained"}
    registry = parts.receiver.metrics.registry
    assert registry.get_sample_value("wgfleet_receiver_decisions_total", labels) == 1.0
    assert registry.get_sample_value("wgfleet_receiver_generation") == 3.0


async def test_a_blind_publication_says_why_in_the_log(
    parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody has to guess why nothing moves."""
    caplog.set_level(logging.INFO)

    await parts.driver.take(ADD, who="operator")

    (said,) = facts(caplog.records, "published")
    assert said == {
        "generation": 1, "epoch": 1, "monitoring": "blind", "frozen_by": "no Watchdog for 20 s"
    }  # fmt: skip


# The store fails.


async def test_a_failing_store_changes_nothing(parts: Parts, lock: sqlite3.Connection) -> None:
    """Memory, publication and history are as before; it is counted; the next one gets the number."""
    await parts.serve("fra1")
    before, shown = parts.state, parts.publication.shown
    lock.execute("BEGIN IMMEDIATE")

    for _ in range(3):
        with pytest.raises(StoreUnavailableError, match="database is locked"):
            await parts.driver.take(DrainWished("fra1", drain=True), who="operator")

    assert parts.state is before
    assert parts.publication.shown is shown
    failures = "wgfleet_receiver_store_failures_total"
    assert parts.receiver.metrics.registry.get_sample_value(failures) == 3.0
    lock.execute("ROLLBACK")
    after = await parts.driver.take(DrainWished("fra1", drain=True), who="operator")
    assert after.generation == before.generation + 1
    assert published(parts.store.document(TYPE)).workers[0].state == "draining"


async def test_a_refused_command_changes_nothing(parts: Parts) -> None:
    """And the driver goes on."""
    before = await parts.serve("fra1")

    with pytest.raises(RefusedError, match="there is no worker 'ams1'"):
        await parts.driver.take(WorkerRemoved("ams1"), who="operator")

    assert parts.state is before
    await parts.driver.take(WorkerRemoved("fra1"), who="operator")
    assert parts.state.published == ()


# Cancellation and concurrency.


async def test_a_caller_who_hangs_up_during_a_save_costs_no_number(held: Parts, journal: Journal) -> None:
    """The save goes on without him: its number is never given to another document."""
    journal.go_on.clear()
    taking = asyncio.ensure_future(held.driver.take(ADD, who="operator"))
    await journal.until_begun()

    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    journal.go_on.set()
    state = await held.driver.take(WorkerRegistered("ams1", spec(2)), who="operator")

    assert sorted(state.workers) == ["ams1", "fra1"]
    assert state.generation == 2
    numbers = [document.generation for document in journal.kept if document]
    assert numbers == [1, 2]
    assert journal.load() == state


async def test_a_caller_who_hangs_up_while_he_waits_harms_nobody(held: Parts, journal: Journal) -> None:
    """Those behind him in the queue are served in their order."""
    journal.go_on.clear()
    first, second, third = (
        asyncio.ensure_future(held.driver.take(WorkerRegistered(f"w{number}", spec(number)), who="operator"))
        for number in (1, 2, 3)
    )
    await journal.until_begun()

    second.cancel()
    journal.go_on.set()
    await asyncio.gather(first, second, third, return_exceptions=True)

    numbers = [document.generation for document in journal.kept if document]
    assert numbers == sorted(set(numbers))
    assert {"w1", "w3"} <= held.state.workers.keys()
    assert journal.load() == held.state


async def test_a_hundred_at_once_are_taken_one_after_the_other(held: Parts, journal: Journal) -> None:
    """Each gets a number of its own, and all of them are there in the end."""
    await asyncio.gather(
        *(held.driver.take(WorkerRegistered(f"w{n}", spec(n)), who="operator") for n in range(1, 101))
    )

    assert [document.generation for document in journal.kept if document] == list(range(1, 101))
    assert len(held.state.workers) == 100
    assert journal.load() == held.state


async def test_closing_waits_for_the_last_write(held: Parts, journal: Journal) -> None:
    """What is being written when the receiver is told to stop is written."""
    journal.go_on.clear()
    taking = asyncio.ensure_future(held.driver.take(ADD, who="operator"))
    await journal.until_begun()

    def close() -> int:
        held.driver.close()
        return len(journal.kept)

    closing = asyncio.get_running_loop().run_in_executor(None, close)
    journal.go_on.set()

    assert await closing == 1
    await taking
    assert journal.load() == held.state
