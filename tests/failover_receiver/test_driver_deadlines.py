"""Tests of failover_receiver/driver.py: its deadlines, and its next life."""

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest

from failover_receiver import driver as module
from failover_receiver.driver import Driver
from failover_receiver.metrics import Metrics
from failover_receiver.publication import Publication
from failover_receiver.state import (
    AlertsDelivered,
    Policy,
    Tick,
    WorkerRegistered,
)
from failover_receiver.store import sqlite as store_module
from tests.failover_receiver.parts import (
    FLEET,
    LIMIT,
    NOON,
    SIGNER,
    Clock,
    Parts,
    build,
    facts,
    published,
    seen,
)
from tests.failover_receiver.story import spec
from tests.failover_receiver.watching import Stream
from wgfleet.peerset import TYPE, Monitoring

pytestmark = pytest.mark.anyio
ADD = WorkerRegistered("fra1", spec(1))


# Deadlines.


async def changed(parts: Parts, monitoring: Monitoring) -> None:
    """Wait until a document says so."""
    stream = Stream()
    parts.publication.streams.join(stream.watcher)
    await stream.until(lambda: parts.state.monitoring is monitoring)
    parts.publication.streams.leave(stream.watcher)


async def test_a_deadline_rings_without_any_event(tmp_path: Path) -> None:
    """The Watchdog falls silent: the receiver says that it is blind, although nothing came."""
    parts = build(tmp_path, policy=Policy(watchdog_timeout=0.02))
    await parts.serve("fra1")
    assert parts.state.monitoring is Monitoring.LIVE

    parts.clock.now += 0.02

    await changed(parts, Monitoring.BLIND)
    assert published(parts.store.document(TYPE)).monitoring is Monitoring.BLIND
    parts.close()


class Watch(Clock):
    """A clock that tells when it was looked at."""

    def __init__(self) -> None:
        """Nobody has looked."""
        super().__init__()
        self.looked_at = asyncio.Event()

    def __call__(self) -> float:
        """What it shows."""
        self.looked_at.set()
        return super().__call__()


async def test_a_timer_that_rings_early_is_set_again(tmp_path: Path) -> None:
    """The wall clock was set back while it ran: nothing is decided before its time."""
    watch = Watch()
    parts = build(tmp_path, clock=watch, policy=Policy(watchdog_timeout=0.01))
    await parts.serve("fra1")
    async with asyncio.timeout(LIMIT):
        for _ in range(3):
            watch.looked_at.clear()
            await watch.looked_at.wait()
    assert parts.state.monitoring is Monitoring.LIVE

    watch.now += 0.01

    await changed(parts, Monitoring.BLIND)
    parts.close()


async def test_a_deadline_that_could_not_be_kept_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The store is locked when it rings: that is logged, and the decision comes once it can be kept."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(store_module, "BUSY_SECONDS", 0.01)
    parts = build(tmp_path, policy=Policy(watchdog_timeout=0.02))
    await parts.serve("fra1")
    lock = sqlite3.connect(parts.receiver.settings.store_file, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")

    parts.clock.now += 0.02
    failures = parts.receiver.metrics.store_failures
    async with asyncio.timeout(LIMIT):
        while failures._value.get() < 2:
            await parts.driver.stored(lambda store: store.events(1))
    assert parts.state.monitoring is Monitoring.LIVE
    lock.execute("ROLLBACK")

    await changed(parts, Monitoring.BLIND)
    assert "database is locked" in str(facts(caplog.records, "not kept")[0]["error"])
    lock.close()
    parts.close()


async def test_there_is_one_timer_however_much_is_heard(parts: Parts) -> None:
    """The old one is stopped when a new one is set, or a day of readings would leave thousands."""
    await parts.serve("fra1")
    before = parts.driver._timer

    await parts.hear(seen("up", "fra1", NOON))

    assert before is not None
    assert before.cancelled()
    assert parts.driver._timer is not before


async def test_a_closed_driver_rings_no_more(tmp_path: Path) -> None:
    """Its timer is stopped with it."""
    parts = build(tmp_path, policy=Policy(watchdog_timeout=0.01))
    await parts.serve("fra1")
    timer = parts.driver._timer

    parts.close()

    assert timer is not None
    assert timer.cancelled()


# The next life.


def another(parts: Parts, fleet: str = FLEET) -> tuple[Driver, Publication]:
    """A driver that takes up where the first left off."""
    publication = Publication()
    driver = Driver(
        store=parts.store,
        signer=SIGNER,
        policy=Policy(),
        publication=publication,
        metrics=Metrics(),
        clock=Clock(NOON + 5.0),
        fleet=fleet,
    )
    return driver, publication


async def test_the_next_life_begins_with_the_last_document(parts: Parts) -> None:
    """The same state and the same bytes, shown at once and under the same tag."""
    await parts.serve("fra1", "ams1")
    await parts.hear(seen("down", "fra1", NOON))

    driver, publication = another(parts)

    assert driver.state == parts.state
    before, now = parts.publication.shown, publication.shown
    assert before is not None
    assert now is not None
    assert (now.document, now.etag) == (before.document, before.etag)
    state = await driver.take(WorkerRegistered("lon1", spec(3)), who="operator")
    assert state.generation == parts.state.generation + 1
    driver.close()


async def test_a_restart_moves_nobody(parts: Parts) -> None:
    """A worker that is down stays down, whatever was not heard in between."""
    await parts.serve("fra1", "ams1")
    await parts.hear(seen("down", "fra1", NOON))
    before = {worker.name: worker.state for worker in parts.state.published}

    driver, _ = another(parts)
    state = await driver.take(Tick(), who="start")
    state = await driver.take(AlertsDelivered((seen("down", "fra1", NOON, ended_at=NOON + 5.0),)), who="am")

    assert {worker.name: worker.state for worker in state.published} == before
    driver.close()


async def test_another_fleets_store_is_refused(parts: Parts) -> None:
    """Its clients would refuse every document."""
    await parts.serve("fra1")

    with pytest.raises(ValueError, match=r"^the store holds fleet 'test', the configuration says 'other'$"):
        another(parts, fleet="other")


async def test_what_is_kept_is_readable_json(parts: Parts) -> None:
    """An operator at night can read the row."""
    await parts.serve("fra1")

    (body,) = parts.file._db.execute("SELECT body FROM state").fetchone()

    assert json.loads(body)["workers"]["fra1"]["proven"] is True


async def test_after_the_store_was_away_all_are_heard_first(tmp_path: Path) -> None:
    """Also by a deadline that was missed meanwhile, and is tried again: others may have heard what was not heard here."""
    parts = build(tmp_path, policy=Policy(watchdog_timeout=20.0))
    await parts.serve("fra1")
    parts.clock.now += 20.0
    parts.driver.listen_first()

    await parts.driver._tick()
    before = parts.state.monitoring
    parts.clock.now += module.LISTEN_FIRST
    await parts.driver._tick()

    assert (before, parts.state.monitoring) == (Monitoring.LIVE, Monitoring.BLIND)
    parts.close()
