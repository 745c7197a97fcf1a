"""Tests of client_sync/feed.py, against real servers on loopback."""

import asyncio
import contextlib
import logging
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import httpx
import pytest

from client_sync import feed
from client_sync.feed import Feed
from client_sync.polling import MOST_BYTES
from tests.client_sync.receiver import STREAM, FakeReceiver, Request, answer, event

Taken = asyncio.Queue[bytes]
HEARTBEAT = b": heartbeat\n\n"


@contextlib.asynccontextmanager
async def following(
    *receivers: str, token: Callable[[], str] = lambda: "secret", verify: ssl.SSLContext | bool = True
) -> AsyncIterator[tuple[Feed, Taken]]:
    """A feed that is followed as the daemon follows it, and the documents that it brings."""
    taken: Taken = asyncio.Queue()
    async with httpx.AsyncClient(trust_env=False, verify=verify) as http:
        followed = Feed(http, receivers, token)

        async def follow() -> None:
            async for document in followed.documents():
                taken.put_nowait(document)

        task = asyncio.create_task(follow())
        try:
            yield followed, taken
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def sending(*parts: bytes) -> Callable[[Request, asyncio.StreamWriter], Awaitable[None]]:
    """Answers with a stream of these parts that then stays open; whoever asks for the document alone is refused."""

    async def send(request: Request, writer: asyncio.StreamWriter) -> None:
        if "/events " not in request.line:
            writer.write(answer("404 Not Found"))
            return
        writer.write(STREAM)
        for part in parts:
            writer.write(part)
            await writer.drain()

    return send


def ending(*parts: bytes) -> Callable[[Request, asyncio.StreamWriter], Awaitable[None]]:
    """Answers with a stream of these parts that then ends."""

    async def send(request: Request, writer: asyncio.StreamWriter) -> None:
        await sending(*parts)(request, writer)
        if "/events " in request.line:
            raise ConnectionError

    return send


def beating(taken: Callable[[], Taken]) -> Callable[[Request, asyncio.StreamWriter], Awaitable[None]]:
    """Answers with a stream that goes on after its document was taken, and then ends."""

    async def send(request: Request, writer: asyncio.StreamWriter) -> None:
        await sending(event(b"document"))(request, writer)
        if "/events " in request.line:
            await taken().get()  # Or both would be read at once, and nothing be seen to follow.
            writer.write(HEARTBEAT)
            raise ConnectionError

    return send


def refusing(status: str, body: bytes) -> Callable[[Request, asyncio.StreamWriter], Awaitable[None]]:
    """Answers with this, each time."""

    async def refuse(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(status, body))

    return refuse


def lost(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Each receiver that was lost, and why."""
    facts: Sequence[dict[str, str]] = [
        getattr(record, "facts", {}) for record in caplog.records if record.getMessage() == "receiver lost"
    ]
    return [(one["receiver"], one["error"]) for one in facts]


def test_documents_arrive_as_they_were_sent() -> None:
    """Every one, in order; asked for with the token, at the stream of peer sets."""

    async def story() -> None:
        async with (
            FakeReceiver(sending(event(b"first.document.x"), event(b"second"))) as receiver,
            following(receiver.url) as (followed, taken),
        ):
            assert [await taken.get(), await taken.get()] == [b"first.document.x", b"second"]
            assert followed.receiver == receiver.url
            assert receiver.requests[0].line == "GET /v1/peer-set/events HTTP/1.1"
            assert receiver.requests[0].headers["authorization"] == "Bearer secret"

    asyncio.run(story())


def test_heartbeats_and_other_events_are_no_documents() -> None:
    """Comments, events of other names, events without a name or without data."""
    noise = [
        b": heartbeat\n\n",
        event(b"other", "client-list"),
        b"data: nameless\n\n",
        b"event: peer-set\n\n",
    ]

    async def story() -> bytes:
        async with (
            FakeReceiver(sending(*noise, event(b"document"))) as receiver,
            following(receiver.url) as (_, taken),
        ):
            return await taken.get()

    assert asyncio.run(story()) == b"document"


def test_a_receiver_that_refuses_is_reported_and_the_next_one_followed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With what it answered, cut to a length that a log bears."""

    async def story() -> None:
        body = b'{"error": "no such token"}' + b" " * 1000
        async with (
            FakeReceiver(refusing("401 Unauthorized", body)) as first,
            FakeReceiver(sending(event(b"document"))) as second,
            following(first.url, second.url) as (followed, taken),
        ):
            assert await taken.get() == b"document"
            assert followed.receiver == second.url
            assert lost(caplog) == [(first.url, f"it answered 401: {body[:500].decode()}")]

    asyncio.run(story())


def test_whoever_shows_it_is_told_why_no_receiver_is_followed_and_when_one_is() -> None:
    """At each change, and not ten seconds later."""

    async def story() -> None:
        refused, told = (
            refusing("401 Unauthorized", b"no such token"),
            asyncio.Queue[tuple[str | None, dict[str, str]]](),
        )

        async def serve(request: Request, writer: asyncio.StreamWriter) -> None:
            await (refused if told.empty() else sending(event(b"document")))(request, writer)

        async with FakeReceiver(serve) as receiver, following(receiver.url) as (followed, taken):
            assert followed.trouble == {}
            followed.changed = lambda: told.put_nowait((followed.receiver, dict(followed.trouble)))
            assert await taken.get() == b"document"
            assert await told.get() == (None, {receiver.url: "it answered 401: no such token"})
            assert await told.get() == (receiver.url, {})

    asyncio.run(story())


def test_a_receiver_that_is_not_there_is_reported_and_the_next_one_followed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nobody listens at the first address."""

    async def story() -> None:
        async with FakeReceiver(sending()) as gone:
            pass
        async with (
            FakeReceiver(sending(event(b"document"))) as second,
            following(gone.url, second.url) as (_, taken),
        ):
            assert await taken.get() == b"document"
            assert lost(caplog) == [(gone.url, "All connection attempts failed")]

    asyncio.run(story())


def test_a_redirection_is_not_followed(caplog: pytest.LogCaptureFixture) -> None:
    """It could lead the token anywhere."""

    async def story() -> None:
        async def redirect(_request: Request, writer: asyncio.StreamWriter) -> None:
            writer.write(answer("307 Temporary Redirect", b"", f"Location: {second.url}/elsewhere\r\n"))

        async with (
            FakeReceiver(sending(event(b"document"))) as second,
            FakeReceiver(redirect) as first,
            following(first.url, second.url) as (_, taken),
        ):
            await taken.get()
            assert [request.line for request in second.requests] == ["GET /v1/peer-set/events HTTP/1.1"]
            assert lost(caplog) == [(first.url, "it answered 307: ")]

    asyncio.run(story())


def test_a_stream_that_ends_is_taken_up_again(caplog: pytest.LogCaptureFixture) -> None:
    """The receiver restarted; each connection brings the newest document."""

    async def story() -> None:
        async with (
            FakeReceiver(ending(event(b"document"))) as receiver,
            following(receiver.url) as (_, taken),
        ):
            assert [await taken.get(), await taken.get()] == [b"document", b"document"]
            assert receiver.connections == 2
            assert lost(caplog) == [(receiver.url, "it ended the stream")]

    asyncio.run(story())


def test_while_no_receiver_is_followed_none_is_named() -> None:
    """So that no ack is sent to one that is gone."""

    async def story() -> None:
        seen: list[str | None] = []

        async def end_then_look(request: Request, writer: asyncio.StreamWriter) -> None:
            seen.append(followed.receiver)
            await ending(event(b"document"))(request, writer)

        async with (
            FakeReceiver(end_then_look) as receiver,
            following(receiver.url) as (followed, taken),
        ):
            await taken.get()
            await taken.get()
            assert seen == [None, None]

    asyncio.run(story())


def test_a_receiver_that_falls_silent_is_left(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sent a document and then not even heartbeats: the next one is followed."""
    monkeypatch.setattr(feed, "READ_SECONDS", 0.2)  # The real one would make this test as slow.

    async def story() -> None:
        async with (
            FakeReceiver(sending(event(b"old"))) as silent,
            FakeReceiver(sending(event(b"new"))) as second,
            following(silent.url, second.url) as (_, taken),
        ):
            assert [await taken.get(), await taken.get()] == [b"old", b"new"]
            assert lost(caplog)[0] == (silent.url, "ReadTimeout")

    asyncio.run(story())


def test_the_token_is_read_anew_for_each_connection() -> None:
    """It can be replaced without a restart."""
    tokens = iter(["first", "second"])

    async def story() -> list[str]:
        async with (
            FakeReceiver(ending(event(b"document"))) as receiver,
            following(receiver.url, token=lambda: next(tokens)) as (_, taken),
        ):
            await taken.get()
            await taken.get()
            return [request.headers["authorization"] for request in receiver.requests]

    assert asyncio.run(story()) == ["Bearer first", "Bearer second"]


def test_a_token_that_cannot_be_read_is_reported_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """The operator is about to replace it."""
    tokens = iter(["", "good"])

    def token() -> str:
        found = next(tokens)
        if not found:
            raise ValueError("/etc/wgfleet/token is empty: it should hold the token")
        return found

    async def story() -> None:
        async with (
            FakeReceiver(sending(event(b"document"))) as receiver,
            following(receiver.url, token=token) as (_, taken),
        ):
            assert await taken.get() == b"document"
            assert lost(caplog) == [(receiver.url, "/etc/wgfleet/token is empty: it should hold the token")]

    asyncio.run(story())


def test_a_document_without_an_end_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """A server gone mad fills no client's memory."""

    async def story() -> None:
        flood = [b"data: "] + [b"x" * 65536] * (MOST_BYTES // 65536 + 1)
        async with (
            FakeReceiver(sending(*flood)) as mad,
            FakeReceiver(sending(event(b"document"))) as second,
            following(mad.url, second.url) as (_, taken),
        ):
            assert await taken.get() == b"document"
            assert lost(caplog) == [(mad.url, f"it sent more than {MOST_BYTES} bytes without an end")]

    asyncio.run(story())


def test_a_document_may_be_large() -> None:
    """A fleet with every field at its longest."""
    large = bytes(range(65, 90)) * 40_000

    async def story() -> bytes:
        async with FakeReceiver(sending(event(large))) as receiver, following(receiver.url) as (_, taken):
            return await taken.get()

    assert asyncio.run(story()) == large


def test_tries_become_rarer_and_begin_anew_after_a_stream_that_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """From a fifth of a second, half as long again each time, to half a minute; drawn at random, so that a fleet is not in step."""
    bounds: list[tuple[float, float]] = []
    enough = asyncio.Event()
    taken: Taken

    def uniform(low: float, high: float) -> float:
        bounds.append((low, high))
        if len(bounds) == 17:
            enough.set()
        return 0.0

    monkeypatch.setattr(random, "uniform", uniform)  # What is drawn is all that can be seen without waiting.

    async def refuse_often_then_hold(request: Request, writer: asyncio.StreamWriter) -> None:
        if len(bounds) < 15:
            writer.write(answer("503 Service Unavailable"))
        else:
            await beating(lambda: taken)(request, writer)

    async def story() -> None:
        nonlocal taken
        async with (
            FakeReceiver(refuse_often_then_hold) as receiver,
            following(receiver.url) as (_, taken),
        ):
            await enough.wait()

    asyncio.run(story())

    growing = [0.2 * 1.5**number for number in range(13)]
    assert [low for low, _ in bounds] == [0] * 17
    assert [high for _, high in bounds] == pytest.approx([*growing, 30.0, 30.0, 0.2, 0.2])


def test_what_happens_is_logged_without_the_token(caplog: pytest.LogCaptureFixture) -> None:
    """Following and losing alike."""
    caplog.set_level(logging.DEBUG, logger="client_sync")

    async def story() -> None:
        async with (
            FakeReceiver(ending(event(b"document"))) as receiver,
            following(receiver.url, token=lambda: "TOPSECRET") as (_, taken),
        ):
            await taken.get()
            await taken.get()

    asyncio.run(story())

    ours = [record for record in caplog.records if record.name.startswith("client_sync")]
    assert {record.getMessage() for record in ours} == {"following", "receiver lost"}
    assert "TOPSECRET" not in str([vars(record) for record in ours])


def test_a_worker_follows_the_client_list() -> None:
    """At its own stream; peer sets there are none of its business."""

    async def story() -> None:
        async with (
            FakeReceiver(sending(event(b"peers"), event(b"clients", "client-list"))) as receiver,
            httpx.AsyncClient(trust_env=False) as http,
        ):
            followed = Feed(http, (receiver.url,), lambda: "secret", document="client-list")
            assert await anext(followed.documents()) == b"clients"
            assert receiver.requests[0].line == "GET /v1/client-list/events HTTP/1.1"

    asyncio.run(story())
