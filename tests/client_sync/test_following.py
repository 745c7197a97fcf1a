"""Tests of client_sync/following.py: a broker first, receivers while it is lost, and a look at them beside it."""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import AsyncIterator

import httpx
import pytest

from client_sync import following as module
from client_sync.feed import Feed, Way
from client_sync.following import BrokerFirst
from tests.client_sync.receiver import STREAM, FakeReceiver, Request, answer, event
from tests.client_sync.scene import said
from wgfleet.standing import HEADER, Standing

URL = "mqtts://broker.example.com"


class FakeBroker:
    """Gives what a test puts in, while it is said to be followed."""

    def __init__(self) -> None:
        """It is lost."""
        self.url = URL
        self.followed, self.lost = asyncio.Event(), asyncio.Event()
        self.given: asyncio.Queue[bytes] = asyncio.Queue()
        self.lose()

    def give(self, document: bytes) -> None:
        """It has this."""
        self.lost.clear()
        self.followed.set()
        self.given.put_nowait(document)

    def lose(self) -> None:
        """It is gone."""
        self.followed.clear()
        self.lost.set()

    async def documents(self) -> AsyncIterator[bytes]:
        """As a subscription."""
        while True:
            yield await self.given.get()


class Receiver:
    """Streams one document and answers with another."""

    def __init__(self, streamed: bytes = b"streamed", asked: bytes | None = None) -> None:
        """What it has; None: nothing else than who asks."""
        self.streamed = streamed
        self.asked = asked
        self.ended = asyncio.Event()

    async def __call__(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Answer."""
        if "/events " in request.line:
            writer.write(STREAM + event(self.streamed))
            self.ended.clear()
        elif self.asked is None:
            writer.write(answer("304 Not Modified"))
        else:
            writer.write(answer("200 OK", self.asked))


@contextlib.asynccontextmanager
async def following(
    broker: FakeBroker, *receivers: str
) -> AsyncIterator[tuple[BrokerFirst, asyncio.Queue[bytes]]]:
    """Followed as the daemon does, and the documents that come."""
    taken: asyncio.Queue[bytes] = asyncio.Queue()
    async with httpx.AsyncClient(trust_env=False) as http:
        both = BrokerFirst(broker, Feed(http, receivers, lambda: "secret"), http, receivers)

        async def follow() -> None:
            async for document in both.documents():
                taken.put_nowait(document)

        task = asyncio.create_task(follow())
        try:
            async with asyncio.timeout(20.0):
                yield both, taken
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def tag(document: bytes) -> str:
    """Its ETag: the digest, in quotes."""
    return f'"{hashlib.sha256(document).hexdigest()}"'


async def hung_up(receiver: FakeReceiver) -> None:
    """Wait until nobody follows it any more."""
    while receiver._open:  # noqa: ASYNC110 - A connection's end has no event here.
        await asyncio.sleep(0.01)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that a test can wait for."""
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.02)
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.02)


def test_a_broker_that_is_there_is_followed_and_receivers_are_not() -> None:
    """They are told what is applied all the same."""

    async def story() -> None:
        broker = FakeBroker()
        broker.give(b"one")
        async with FakeReceiver(Receiver()) as receiver, following(broker, receiver.url) as (both, taken):
            assert await taken.get() == b"one"
            assert (both.receiver, both.way, both.acks_to) == (URL, Way.BROKER, receiver.url)
            assert receiver.connections == 0

    asyncio.run(story())


@pytest.mark.usefixtures("hasty")
def test_while_the_broker_is_lost_receivers_are_followed() -> None:
    """Until it is back."""

    async def story() -> None:
        broker = FakeBroker()
        async with FakeReceiver(Receiver()) as receiver, following(broker, receiver.url) as (both, taken):
            assert await taken.get() == b"streamed"
            assert (both.receiver, both.way) == (receiver.url, Way.STREAM)
            broker.give(b"two")
            assert await taken.get() == b"two"
            assert (both.receiver, both.way) == (URL, Way.BROKER)
            await hung_up(receiver)
            broker.lose()
            assert await taken.get() == b"streamed"

    asyncio.run(story())


@pytest.mark.usefixtures("hasty")
def test_a_receiver_that_has_another_document_is_heard(caplog: pytest.LogCaptureFixture) -> None:
    """The receiver may not reach the broker any more, which goes on giving the old one."""
    caplog.set_level(logging.WARNING)

    asked: list[Request] = []

    async def story() -> None:
        broker = FakeBroker()
        broker.give(b"old")
        async with (
            FakeReceiver(Receiver(asked=b"new")) as receiver,
            following(broker, receiver.url) as (_, taken),
        ):
            assert await taken.get() == b"old"
            assert await taken.get() == b"new"
            while len(receiver.requests) < 2:  # noqa: ASYNC110 - What is asked has no event here.
                await asyncio.sleep(0.01)
            asked.extend(receiver.requests)

    asyncio.run(story())
    assert [one.headers["if-none-match"] for one in asked[:2]] == [tag(b"old"), tag(b"new")]
    assert said(caplog, "the broker has another document than the receiver")[0]["broker"] == URL


@pytest.mark.usefixtures("hasty")
def test_a_receiver_is_asked_for_what_the_broker_did_not_give() -> None:
    """By the digest of what it gave last: an answer that says nothing new has no body."""

    async def story() -> str:
        broker = FakeBroker()
        broker.give(b"one")
        receiver = Receiver()
        asked = asyncio.Event()

        async def answering(request: Request, writer: asyncio.StreamWriter) -> None:
            await receiver(request, writer)
            asked.set()

        async with FakeReceiver(answering) as up, following(broker, up.url) as (_, taken):
            await taken.get()
            await asked.wait()
            assert taken.empty()
            return up.requests[0].headers["if-none-match"]

    assert asyncio.run(story()) == tag(b"one")


@pytest.mark.usefixtures("hasty")
def test_acks_go_to_the_receiver_that_answers() -> None:
    """The first one may be gone."""

    async def story() -> None:
        broker = FakeBroker()
        broker.give(b"one")
        async with FakeReceiver(Receiver()) as gone:
            pass
        async with (
            FakeReceiver(Receiver(asked=b"new")) as up,
            following(broker, gone.url, up.url) as (both, taken),
        ):
            assert both.acks_to == gone.url
            assert [await taken.get(), await taken.get()] == [b"one", b"new"]
            assert both.acks_to == up.url

    asyncio.run(story())


def test_a_broker_alone_is_followed_and_nobody_is_told() -> None:
    """There is no receiver."""

    async def story() -> None:
        broker = FakeBroker()
        async with following(broker) as (both, taken):
            assert (both.receiver, both.way, both.acks_to) == (None, None, None)
            assert both.trouble == {}
            broker.give(b"one")
            assert await taken.get() == b"one"

    asyncio.run(story())


def test_whoever_shows_it_is_told_of_the_broker_and_of_the_receivers_in_its_place(hasty: None) -> None:
    """What receivers refuse counts for nothing while the broker is followed."""
    del hasty

    async def story() -> None:
        broker, told = FakeBroker(), asyncio.Event()
        async with FakeReceiver(Receiver()) as gone:
            pass
        async with following(broker, gone.url) as (both, taken):
            both.changed = told.set
            while not both.trouble:
                told.clear()
                await told.wait()
            assert list(both.trouble) == [gone.url]
            told.clear()
            broker.give(b"one")
            assert await taken.get() == b"one"
            await told.wait()
            assert (both.receiver, both.trouble) == (URL, {})

    asyncio.run(story())


@pytest.mark.usefixtures("hasty")
def test_a_receiver_that_is_cut_off_is_not_heard_beside_a_broker() -> None:
    """What it has may be older than the broker's; the next one is asked."""

    async def story() -> None:
        async def cut_off(_request: Request, writer: asyncio.StreamWriter) -> None:
            writer.write(answer("200 OK", b"older", f"{HEADER}: {Standing(live=False).told().decode()}\r\n"))

        broker = FakeBroker()
        broker.give(b"old")
        async with (
            FakeReceiver(cut_off) as first,
            FakeReceiver(Receiver(asked=b"new")) as second,
            following(broker, first.url, second.url) as (both, taken),
        ):
            assert [await taken.get(), await taken.get()] == [b"old", b"new"]
            assert both.acks_to == second.url

    asyncio.run(story())
