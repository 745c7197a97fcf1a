"""Tests of client_sync/lookout.py, and of a feed whose receiver says that it is cut off from the others."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from client_sync import feed, lookout, polling
from client_sync.feed import Way
from client_sync.lookout import FoundError, Lookout, grace, others_first, pauses
from tests.client_sync.receiver import STREAM, FakeReceiver, Request, answer, event
from tests.client_sync.test_feed import following, lost, sending
from tests.failover_receiver.parts import LIMIT
from wgfleet.standing import HEADER, LIVE, Standing

CUT_OFF = Standing(live=False)
ALONE = Standing(live=False, hops=2)
WORDS = "it is cut off from the other receivers, or from its own, and another is not"
Answer = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has to be waited for would make these tests as slow."""
    for name in ("PAUSE_FIRST", "PAUSE_MOST", "GRACE_SECONDS"):
        monkeypatch.setattr(lookout, name, 0.02)


def asked(standing: Standing, document: bytes = b"asked") -> bytes:
    """What one that stands so answers whoever asks for the document."""
    said = "" if standing.live else f"{HEADER}: {standing.told().decode()}\r\n"
    return answer("200 OK", document, said)


def serving(standing: Standing, *parts: bytes, streams: Answer | None = None) -> Answer:
    """Answers who looks, and with a stream of these parts."""

    async def serve(request: Request, writer: asyncio.StreamWriter) -> None:
        if "/events " in request.line:
            await (streams or sending(*parts))(request, writer)
        else:
            writer.write(asked(standing))

    return serve


def test_the_one_that_is_followed_is_asked_last() -> None:
    """Behind its name may stand others."""
    assert others_first(["a", "b", "c"], "b") == ["a", "c", "b"]


def test_behind_a_follower_one_looks_more_rarely_and_waits_longer() -> None:
    """It follows its receiver again within ten seconds, and the receiver has no room for its crowd."""
    bounds: list[float] = []

    def draw(_low: float, bound: float) -> float:
        bounds.append(bound)
        return bound

    for said in (CUT_OFF, ALONE):
        pause = pauses(said)
        pause.draw = draw
        pause.next()

    assert bounds == [lookout.PAUSE_FIRST, lookout.FOLLOWER_PAUSE_FIRST]
    assert grace(ALONE) > 10.0 > grace(CUT_OFF)


@pytest.mark.parametrize("said", [CUT_OFF, LIVE])
def test_what_is_read_counts_until_another_is_found(said: Standing) -> None:
    """And none is looked for once the one that is followed is back."""

    async def ask(_url: str) -> Standing:
        return LIVE

    async def story() -> str:
        looking = Lookout(["a", "b"], ask)
        for one in (CUT_OFF, said):
            await looking.told("a", one)
        try:
            # Longer than a look takes.
            return await looking.beside(asyncio.sleep(0.3, "read"))
        except FoundError as found:
            return found.url
        finally:
            await looking.close()

    assert asyncio.run(story()) == ("read" if said.live else "b")


def test_one_that_is_cut_off_is_left_for_one_that_is_not(caplog: pytest.LogCaptureFixture) -> None:
    """Past one that is cut off, too; the last may be older than this word, and says nothing of it."""

    async def story() -> None:
        async with (
            asyncio.timeout(LIMIT),
            FakeReceiver(serving(CUT_OFF, event(b"old"), CUT_OFF.event())) as first,
            FakeReceiver(serving(CUT_OFF)) as second,
            FakeReceiver(serving(LIVE, event(b"new"))) as third,
            following(first.url, second.url, third.url) as (followed, taken),
        ):
            assert [await taken.get(), await taken.get()] == [b"old", b"new"]
            assert followed.receiver == third.url
            assert lost(caplog) == [(first.url, WORDS)]
            assert [one.line for one in second.requests] == ["GET /v1/peer-set HTTP/1.1"], "no stream there"

    asyncio.run(story())


def test_while_all_are_cut_off_or_gone_the_stream_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    """However often one has looked: PostgreSQL is away."""

    async def story() -> None:
        looks, enough = 0, asyncio.Event()

        async def look(request: Request, writer: asyncio.StreamWriter) -> None:
            nonlocal looks
            assert "/events " not in request.line
            looks += 1
            assert request.headers["if-none-match"] == "*"
            writer.write(answer("304 Not Modified", headers=f"{HEADER}: {CUT_OFF.told().decode()}\r\n"))
            if looks == 3:
                enough.set()

        async with FakeReceiver(sending()) as gone:
            pass
        async with (
            asyncio.timeout(LIMIT),
            FakeReceiver(serving(CUT_OFF, event(b"document"), CUT_OFF.event(), CUT_OFF.event())) as first,
            FakeReceiver(look) as second,
            following(first.url, second.url, gone.url) as (followed, taken),
        ):
            assert await taken.get() == b"document"
            await enough.wait()
            assert (followed.receiver, followed.way) == (first.url, Way.STREAM)
            assert [one.line for one in first.requests].count("GET /v1/peer-set/events HTTP/1.1") == 1
            assert len({one.connection for one in second.requests}) == looks, "each on one of its own"
            assert lost(caplog) == []

    asyncio.run(story())


def test_one_that_is_back_by_then_is_not_left(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL was away for all, and another had it a moment earlier."""

    async def story() -> None:
        found = asyncio.Event()

        def long(_said: Standing) -> float:
            found.set()
            return 2 * LIMIT  # As far as this test goes, for ever.

        monkeypatch.setattr(lookout, "grace", long)

        async def come_back(_request: Request, writer: asyncio.StreamWriter) -> None:
            writer.write(STREAM + event(b"old") + CUT_OFF.event())
            async with asyncio.timeout(LIMIT):
                await found.wait()
            monkeypatch.setattr(lookout, "grace", lambda _: 0.0)
            writer.write(LIVE.event() + event(b"new"))

        async with (
            asyncio.timeout(LIMIT),
            FakeReceiver(come_back) as first,
            FakeReceiver(serving(LIVE, event(b"elsewhere"))) as second,
            following(first.url, second.url) as (followed, taken),
        ):
            assert [await taken.get(), await taken.get()] == [b"old", b"new"]
            assert followed.receiver == first.url
            assert lost(caplog) == []

    asyncio.run(story())


def test_behind_one_name_another_may_be_found() -> None:
    """A load balancer leads to one that is not cut off: the stream is begun anew there."""

    async def story() -> None:
        streams = iter([[event(b"old"), CUT_OFF.event()], [event(b"new")]])

        async def lead(request: Request, writer: asyncio.StreamWriter) -> None:
            await sending(*next(streams))(request, writer)

        async with (
            asyncio.timeout(LIMIT),
            FakeReceiver(serving(LIVE, streams=lead)) as balancer,
            following(balancer.url) as (_, taken),
        ):
            assert [await taken.get(), await taken.get()] == [b"old", b"new"]

    asyncio.run(story())


def test_when_whom_it_found_gives_no_stream_the_others_are_tried(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also the one that was left, in its turn."""

    async def story() -> None:
        async def full(request: Request, writer: asyncio.StreamWriter) -> None:
            writer.write(answer("503 Service Unavailable") if "/events " in request.line else asked(LIVE))

        async with (
            asyncio.timeout(LIMIT),
            FakeReceiver(serving(CUT_OFF, event(b"document"), CUT_OFF.event())) as first,
            FakeReceiver(full) as second,
            following(first.url, second.url) as (_, taken),
        ):
            assert [await taken.get(), await taken.get()] == [b"document"] * 2
            assert lost(caplog)[:2] == [(first.url, WORDS), (second.url, "it answered 503: ")]

    asyncio.run(story())


@pytest.mark.parametrize("other", [LIVE, CUT_OFF])
def test_where_no_stream_is_held_too_one_that_is_not_cut_off_is_asked(
    other: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or else the first."""
    monkeypatch.setattr(feed, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(polling, "pause", lambda _: 0.01)

    async def story() -> None:
        def mute(standing: Standing, document: bytes) -> Answer:
            async def serve(request: Request, writer: asyncio.StreamWriter) -> None:
                if "/events " in request.line:
                    writer.write(answer("502 Bad Gateway"))
                else:
                    writer.write(asked(standing, document))

            return serve

        async with (
            asyncio.timeout(LIMIT),
            FakeReceiver(mute(CUT_OFF, b"old")) as first,
            FakeReceiver(mute(other, b"new")) as second,
            following(first.url, second.url) as (followed, taken),
        ):
            told = asyncio.Event()
            followed.changed = lambda: told.set() if followed.way is Way.POLL else None
            assert [await taken.get(), await taken.get()] == [b"old", b"new"]
            await told.wait()
            assert followed.receiver == (second.url if other.live else first.url)

    asyncio.run(story())
