"""Tests of failover_receiver/page/feed.py."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from failover_receiver.page import feed
from failover_receiver.page.feed import Feed
from failover_receiver.page.view import Known, View, view
from failover_receiver.state import Policy, State
from tests.failover_receiver.parts import LIMIT, NOON, Clock

pytestmark = pytest.mark.anyio


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times that a test can wait for."""
    monkeypatch.setattr(feed, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(feed, "HEARTBEAT_SECONDS", 0.02)


class Shown:
    """What a feed draws, and how often it did."""

    def __init__(self) -> None:
        self.state = State(fleet="test")
        self.drawn = 0
        self.clock = Clock()

    async def draw(self) -> View:
        """The page of now."""
        self.drawn += 1
        known = Known(self.state, Policy(), {}, {}, None, {}, [])
        return view(known, now=self.clock())

    def feed(self) -> Feed:
        """Of it."""
        return Feed(self.draw, number=lambda: self.state.generation, clock=self.clock)


@pytest.fixture
def shown() -> Shown:
    """Nothing is drawn yet."""
    return Shown()


async def next_of(stream: AsyncIterator[bytes], kind: str) -> list[str]:
    """The lines of the next event of that kind."""
    async with asyncio.timeout(LIMIT):
        async for message in stream:
            lines = message.decode().splitlines()
            if lines[0] == f"event: {kind}":
                return lines
    raise AssertionError("the stream has ended")


@pytest.mark.usefixtures("quick")
async def test_who_follows_has_the_page_at_once_and_after_each_change(shown: Shown) -> None:
    """Whole each time, with the receiver's time; between them heartbeats."""
    stream = shown.feed().follow(lambda: True)

    first = await next_of(stream, "page")
    beat = await next_of(stream, "beat")
    shown.state = State(fleet="test", epoch=3, generation=4)
    second = await next_of(stream, "page")
    await stream.aclose()  # type: ignore[attr-defined] # It is a generator, which its type does not say.

    assert first[1] == beat[1] == f"id: {NOON:.3f}"
    assert any("<b>1.0</b>" in line for line in first)
    assert any("<b>3.4</b>" in line for line in second)
    assert all(line.startswith("data: ") for line in second[2:] if line)


@pytest.mark.usefixtures("quick")
async def test_a_decision_is_drawn_without_waiting_for_the_next_second(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here that would be never."""
    monkeypatch.setattr(feed, "LOOKS", 10**9)
    stream = shown.feed().follow(lambda: True)
    await next_of(stream, "page")

    shown.state = State(fleet="test", generation=7)

    assert any("<b>1.7</b>" in line for line in await next_of(stream, "page"))
    await stream.aclose()  # type: ignore[attr-defined] # It is a generator, which its type does not say.


@pytest.mark.usefixtures("quick")
async def test_what_nobody_decided_is_drawn_with_the_next_second(shown: Shown) -> None:
    """As acks are, and what time alone brings."""
    stream = shown.feed().follow(lambda: True)
    await next_of(stream, "page")

    shown.state = State(fleet="another")

    assert any("another" in line for line in await next_of(stream, "page"))
    await stream.aclose()  # type: ignore[attr-defined] # It is a generator, which its type does not say.


@pytest.mark.usefixtures("quick")
async def test_nothing_is_drawn_while_nobody_looks(shown: Shown) -> None:
    """Nor once they have gone."""
    pages = shown.feed()
    assert shown.drawn == 0
    stream = pages.follow(lambda: True)
    await next_of(stream, "page")

    await stream.aclose()  # type: ignore[attr-defined] # It is a generator, which its type does not say.
    drawn = shown.drawn
    for _ in range(10):
        await asyncio.sleep(feed.LOOK_SECONDS)  # For what must not come there is no event to wait for.

    assert shown.drawn == drawn
    assert pages._task is None


@pytest.mark.usefixtures("quick")
async def test_it_is_drawn_once_for_all_who_look(shown: Shown) -> None:
    """The same bytes."""
    pages = shown.feed()
    streams = [pages.follow(lambda: True) for _ in range(5)]

    messages = [await next_of(stream, "page") for stream in streams]
    for stream in streams:
        await stream.aclose()  # type: ignore[attr-defined] # It is a generator, which its type does not say.

    assert messages == [messages[0]] * 5


@pytest.mark.usefixtures("quick")
async def test_who_may_look_no_more_is_told_so(shown: Shown) -> None:
    """And the stream ends: when it is woken, and at the latest with a heartbeat."""
    pages, may = shown.feed(), [True]
    stream = pages.follow(lambda: may[0])
    await next_of(stream, "page")

    may[0] = False
    pages.wake()

    assert await next_of(stream, "signed-out") == ["event: signed-out", "data: ", ""]
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


@pytest.mark.usefixtures("quick")
async def test_streams_end_when_the_receiver_stops(shown: Shown) -> None:
    """Those that still come, too."""
    pages = shown.feed()
    stream = pages.follow(lambda: True)
    await next_of(stream, "page")

    pages.close()

    async with asyncio.timeout(LIMIT):
        assert feed.SIGNED_OUT not in [message async for message in stream]
    assert [message async for message in pages.follow(lambda: True)] == [feed.RETRY]
