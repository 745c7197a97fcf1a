"""Tests of client_sync/perworker/echoes.py: who is probed by what, and what the watch does of itself."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Literal

import pytest

from client_sync.perworker import echoes
from client_sync.perworker.echoes import Echoes, watch
from client_sync.perworker.layout import PerWorker
from tests.client_sync.device import named
from tests.client_sync.perworker.air import Air
from tests.client_sync.perworker.kernel import MARK, Machine, connection
from tests.client_sync.samples import worker
from tests.client_sync.scene import said
from wgfleet.peerset import WorkerState

TWO = named(worker(1), worker(2))
DRAINED = named(worker(1, WorkerState.DRAINING), worker(2))
SECONDS = 10.0
"""Whatever a test waits for has come long before, or never comes."""


class Awaited(asyncio.Event):
    """Tells when somebody begins to wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.awaited = asyncio.Event()

    async def wait(self) -> Literal[True]:
        """As of any event."""
        self.awaited.set()
        return await super().wait()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real beat would make these tests as slow."""
    monkeypatch.setattr(echoes, "PROBE_SECONDS", 0.002)
    monkeypatch.setattr(echoes, "LOOK_SECONDS", 0.005)


def test_each_worker_is_asked_by_its_own_interface(layout: PerWorker) -> None:
    """An echo by another interface would say nothing of the worker; nobody has 10.99.0.9."""
    air = Air(silent={"10.99.0.2"})
    prober = Echoes(layout, air.open)
    heard: list[str] = []

    async def story() -> list[bool]:
        numbers = [f"10.99.0.{number}" for number in (1, 2, 2, 9)]
        sent = [prober.ask(address, partial(heard.append, address)) for address in numbers]
        await asyncio.sleep(0)
        prober.close()
        return sent

    assert asyncio.run(story()) == [True, True, True, False]
    assert heard == ["10.99.0.1"]
    assert air.asked == [("wg-w1", "10.99.0.1"), *[("wg-w2", "10.99.0.2")] * 2]
    assert air.opened == air.closed == ["wg-w1", "wg-w2"]
    assert prober.watched == (0, 0), "these are the driver's, which counts them itself"


def test_what_the_watch_asks_is_counted_apart(layout: PerWorker) -> None:
    """It must not look like traffic that goes out, and none that comes in."""
    air = Air(silent={"10.99.0.2"}, unreachable={"10.99.0.2"})
    prober = Echoes(layout, air.open)

    async def story() -> None:
        for number in (1, 1, 2):
            await prober.watch(f"10.99.0.{number}", 0.5)

    asyncio.run(story())
    assert prober.watched == (2, 2)


def test_nothing_is_held_for_workers_that_were_removed(layout: PerWorker) -> None:
    """Sockets, for one: a daemon runs for months."""
    air = Air()
    prober = Echoes(layout, air.open)

    async def story() -> None:
        prober.ask("10.99.0.1", lambda: None)
        layout.configure(named(worker(2), worker(3)), "w2", silent={"w1"})
        prober.ask("10.99.0.3", lambda: None)

    asyncio.run(story())
    assert air.closed == ["wg-w1"]


def watched(
    layout: PerWorker,
    air: Air,
    story: Callable[[], Coroutine[None, None, None]],
    changed: Callable[[], None] | None = None,
) -> None:
    """Play the story while the watch runs."""

    async def play() -> None:
        told = changed or (lambda: None)
        watching = asyncio.create_task(watch(layout, Echoes(layout, air.open), told))
        try:
            async with asyncio.timeout(SECONDS):
                await story()
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    asyncio.run(play())


async def until(come: Callable[[], bool]) -> None:
    """Wait until it has come."""
    while not come():  # noqa: ASYNC110 - the watch has no event to be awaited: it is what is looked at.
        await asyncio.sleep(0.001)


@pytest.mark.usefixtures("quick")
def test_a_worker_that_dies_while_it_drains_is_let_go(machine: Machine, layout: PerWorker) -> None:
    """It is probed all the time, and three misses are enough; the new one is, too, to know whose fault they are."""
    machine.connections = [connection(MARK + 1)]
    air = Air()

    async def story() -> None:
        layout.configure(DRAINED, "w2")
        await until(lambda: len(air.asked) > 5)
        assert list(layout.draining) == ["w1"]
        air.silent.add("10.99.0.1")
        await until(lambda: not layout.draining)

    watched(layout, air, story)
    assert set(air.asked) == {("wg-w1", "10.99.0.1"), ("wg-w2", "10.99.0.2")}
    assert machine.pinned == {str(MARK + 2)}


def test_a_drain_is_watched_from_its_first_moment(
    machine: Machine, layout: PerWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old worker may be dead already, and what hangs on it waits."""
    monkeypatch.setattr(echoes, "PROBE_SECONDS", 0.002)
    monkeypatch.setattr(echoes, "LOOK_SECONDS", 10 * SECONDS)
    machine.connections = [connection(MARK + 1)]
    air = Air(silent={"10.99.0.1"})
    layout.drain_began = began = Awaited()

    async def story() -> None:
        await began.awaited.wait()  # The watch has nothing else to do.
        layout.configure(DRAINED, "w2")
        await until(lambda: not layout.draining)

    watched(layout, air, story)
    assert machine.pinned == {str(MARK + 2)}


@pytest.mark.usefixtures("quick")
def test_what_a_drain_leaves_is_told(machine: Machine, layout: PerWorker) -> None:
    """When it begins, when it is counted for the first time, and when nothing is left: an operator waits for it."""
    machine.connections = [connection(MARK + 1), connection(MARK + 1)]
    told: list[dict[str, int | None]] = []

    async def story() -> None:
        layout.configure(DRAINED, "w2")
        await until(lambda: {"w1": 2} in told)
        machine.connections = []
        await until(lambda: told[-1] == {})

    watched(layout, Air(), story, lambda: told.append(dict(layout.connections_left)))
    assert [one for one in told if one.get("w1", 0) is not None] == [{"w1": 2}, {}]


@pytest.mark.usefixtures("quick")
def test_a_worker_is_let_go_with_its_last_connection(machine: Machine, layout: PerWorker) -> None:
    """They are counted all the time."""
    machine.connections = [connection(MARK + 1)]

    async def story() -> None:
        layout.configure(DRAINED, "w2")
        await until(lambda: layout.draining["w1"].flows == 1)
        machine.connections = []
        await until(lambda: not layout.draining)

    watched(layout, Air(), story)


@pytest.mark.usefixtures("quick")
def test_an_interface_that_is_gone_comes_back(machine: Machine, layout: PerWorker) -> None:
    """With nobody asking for it."""

    async def story() -> None:
        machine.remove("wg-w1")
        await until(lambda: machine.way == "wg-w1")

    watched(layout, Air(), story)


@pytest.mark.usefixtures("quick")
def test_what_fails_is_said_and_tried_again(
    machine: Machine, layout: PerWorker, caplog: pytest.LogCaptureFixture
) -> None:
    """The watch goes on."""
    machine.broken = lambda what: what.startswith("make")

    async def story() -> None:
        machine.remove("wg-w1")
        await until(lambda: len(said(caplog, "not applied")) > 1)
        machine.broken = lambda _what: False
        await until(lambda: machine.way == "wg-w1")

    watched(layout, Air(), story)


@pytest.mark.usefixtures("quick")
def test_that_nobody_counts_connections_is_said_once(
    machine: Machine, layout: PerWorker, caplog: pytest.LogCaptureFixture
) -> None:
    """And what follows from it."""
    caplog.set_level(logging.WARNING)
    machine.connections = None
    air = Air()

    async def story() -> None:
        layout.configure(DRAINED, "w2")
        await until(lambda: len(air.asked) > 20)

    watched(layout, air, story)
    assert len(said(caplog, "connections cannot be counted, drains last until their deadline")) == 1
    assert list(layout.draining) == ["w1"]
