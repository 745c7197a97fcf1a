"""Tests of failover_receiver/retention.py."""

import asyncio
import logging

import pytest

from failover_receiver import retention
from failover_receiver.retention import DAY_SECONDS
from tests.failover_receiver.keeping import DOWN, save
from tests.failover_receiver.parts import LIMIT, NOON, Parts, facts

pytestmark = pytest.mark.anyio


async def test_what_is_too_old_is_forgotten_in_small_writes(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it, and nothing that is younger."""
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    for number in range(1, 8):
        save(parts.store, number, DOWN)
    parts.clock.now = 5 + 10 * DAY_SECONDS

    forgotten = await retention.shorten(parts.driver, 10.0)

    assert (forgotten, [event.generation for event in parts.store.events(10)]) == (4, [5, 6, 7])


async def test_it_is_done_at_the_start_and_again_later(
    parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says how much was forgotten, and says nothing when nothing was."""
    caplog.set_level(logging.INFO)
    save(parts.store, 1, DOWN)
    passes = asyncio.Event()
    shorten = parts.store.forget_events

    def noticed(older_than: float, limit: int) -> int:
        some = shorten(older_than, limit)
        if parts.clock.now > NOON and some == 0:
            loop.call_soon_threadsafe(passes.set)
        parts.clock.now += 1.0
        return some

    loop = asyncio.get_running_loop()
    parts.store.forget_events = noticed  # type: ignore[method-assign] # Watched, not replaced.
    task = asyncio.create_task(retention.run(parts.driver, 10.0, every=0.0))
    await asyncio.wait_for(passes.wait(), LIMIT)
    passes.clear()
    await asyncio.wait_for(passes.wait(), LIMIT)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert facts(caplog.records, "history shortened") == [{"events": 1, "keep_events_days": 10.0}]
