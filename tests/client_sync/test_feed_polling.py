"""Tests of client_sync/feed.py where no stream can be held: a real receiver behind a proxy that keeps what it should pass on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from client_sync import feed, polling
from client_sync.addresses import AddressBook
from client_sync.control import Proxy
from client_sync.feed import Feed, Way
from failover_receiver.access import Role
from tests.client_sync.marked import client
from tests.client_sync.proxy import RealProxy
from tests.client_sync.receiver import STREAM, FakeReceiver, Request, answer, event
from tests.failover_receiver.parts import FLEET, LIMIT
from tests.failover_receiver.running import IMPATIENT, Running
from tests.failover_receiver.streams import add
from wgfleet.peerset import PeerSet
from wgfleet.signing import Verifier

Taken = asyncio.Queue[bytes]
INTERVAL = 0.02
PATH = "/v1/peer-set"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has to be waited for would make these tests as slow."""
    monkeypatch.setattr(feed, "FIRST_SECONDS", 0.3)
    monkeypatch.setattr(polling, "STREAM_AGAIN_FIRST", 0.1)
    monkeypatch.setattr(polling, "STREAM_AGAIN_MOST", 0.1)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Running]:
    """A real one."""
    with Running(tmp_path / "receiver", program=IMPATIENT) as running:
        yield running


@contextlib.asynccontextmanager
async def following(
    http: httpx.AsyncClient, *receivers: str, token: str = "secret"
) -> AsyncIterator[tuple[Feed, Taken]]:
    """A feed that is followed as the daemon follows it, and the documents that it brings."""
    taken: Taken = asyncio.Queue()
    followed = Feed(http, receivers, lambda: token, poll_interval=INTERVAL)

    async def follow() -> None:
        async for document in followed.documents():
            taken.put_nowait(document)

    task = asyncio.create_task(follow())
    try:
        yield followed, taken
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def heard_of(taken: Taken, worker: str, key: str) -> None:
    """Wait for a document, signed as it must be, that names this worker."""
    while True:
        payload, _ = Verifier([key]).verify(await taken.get(), fleet=FLEET)
        if PeerSet.from_bytes(payload, fleet=FLEET).worker(worker) is not None:
            return


def test_behind_a_proxy_that_keeps_the_stream_documents_are_asked_for_until_it_comes_through(
    receiver: Running, book: AddressBook
) -> None:
    """Each change arrives by asking; once the proxy passes the stream on, changes are pushed again."""

    async def story() -> None:
        async with (
            asyncio.timeout(LIMIT),
            receiver.ask() as operator,
            RealProxy(keeps=True) as proxy,
            client(book, proxy=Proxy(f"http://127.0.0.1:{proxy.port}")) as http,
            following(http, receiver.url, token=receiver.secret(Role.OPERATOR)) as (followed, taken),
        ):
            key = (await operator.get("/v1/signing-key")).json()["public_key"]
            await add(operator, "fra1", 1)
            await heard_of(taken, "fra1", key)
            assert (followed.way, followed.receiver) == (Way.POLL, receiver.url)

            await add(operator, "fra2", 2)
            await heard_of(taken, "fra2", key)

            proxy.keeps = False
            await heard_of(taken, "fra2", key)  # Asking brings nothing a second time, a new stream does.
            assert followed.way is Way.STREAM
            await add(operator, "fra3", 3)
            await heard_of(taken, "fra3", key)
            assert followed.way is Way.STREAM

    asyncio.run(story())


def test_what_has_not_changed_is_not_sent_again(receiver: Running, book: AddressBook) -> None:
    """The receiver answers 304, and no document is brought a second time by asking."""

    async def story() -> None:
        async with (
            asyncio.timeout(LIMIT),
            receiver.ask() as operator,
            RealProxy(keeps=True) as proxy,
            client(book, proxy=Proxy(f"http://127.0.0.1:{proxy.port}")) as http,
        ):
            await add(operator, "fra1", 1)
            async with following(http, receiver.url, token=receiver.secret(Role.OPERATOR)) as (_, taken):
                await taken.get()
                for _ in range(5):
                    while "if-none-match" not in (await proxy.asked.get()).lower():
                        pass
                assert taken.empty()

    asyncio.run(story())


class Halves:
    """A receiver that refuses, or cuts, its stream, and answers whoever asks."""

    def __init__(self, stream: bytes, document: bytes) -> None:
        self.stream = stream
        self.document = document

    async def __call__(self, request: Request, writer: asyncio.StreamWriter) -> None:
        if "/events " not in request.line:
            writer.write(answer("200 OK", self.document))
            return
        writer.write(self.stream)
        if self.stream.startswith(STREAM):
            raise ConnectionError


def first_heard(*receivers: FakeReceiver, documents: int = 1) -> list[bytes]:
    """The first documents that come from them."""

    async def story() -> list[bytes]:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(asyncio.timeout(LIMIT))
            urls = [(await stack.enter_async_context(receiver)).url for receiver in receivers]
            http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
            _, taken = await stack.enter_async_context(following(http, *urls))
            return [await taken.get() for _ in range(documents)]

    return asyncio.run(story())


def test_where_the_stream_is_refused_the_document_is_asked_for() -> None:
    """Something on the way knows no such path, or allows no such answer."""
    refused = answer("502 Bad Gateway", b"not here")

    assert first_heard(FakeReceiver(Halves(refused, b"asked"))) == [b"asked"]


def test_where_the_stream_is_cut_again_and_again_the_document_is_asked_for() -> None:
    """It is given a second chance first."""
    receiver = FakeReceiver(Halves(STREAM + event(b"pushed"), b"asked"))

    assert first_heard(receiver, documents=3) == [b"pushed", b"pushed", b"asked"]


def test_the_stream_is_not_tried_again_before_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Meanwhile the document is asked for, again and again."""
    monkeypatch.setattr(polling, "STREAM_AGAIN_FIRST", 1000.0)
    monkeypatch.setattr(polling, "STREAM_AGAIN_MOST", 1000.0)
    receiver = FakeReceiver(Halves(answer("502 Bad Gateway"), b"asked"))

    assert first_heard(receiver, documents=3) == [b"asked"] * 3
    assert [request.line.split()[1] for request in receiver.requests] == [f"{PATH}/events", PATH, PATH, PATH]


def test_a_stream_that_has_begun_is_held_however_long_it_lasts() -> None:
    """What is short is only the patience with one that does not begin."""

    async def hold(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + event(b"first"))
        await asyncio.sleep(2 * feed.FIRST_SECONDS)  # Time itself is what must not matter.
        writer.write(event(b"last"))

    receiver = FakeReceiver(hold)

    assert first_heard(receiver, documents=2) == [b"first", b"last"]
    assert receiver.connections == 1


def test_any_receivers_stream_is_better_than_asking_one() -> None:
    """The second one's comes through."""

    async def hold(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + event(b"pushed"))

    first = FakeReceiver(Halves(answer("502 Bad Gateway"), b"asked"))

    assert first_heard(first, FakeReceiver(hold)) == [b"pushed"]
    assert [request.line for request in first.requests] == ["GET /v1/peer-set/events HTTP/1.1"]


def test_the_first_receiver_that_answers_is_asked() -> None:
    """One after the other."""
    refused = answer("502 Bad Gateway")

    async def mute(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(refused)

    assert first_heard(FakeReceiver(mute), FakeReceiver(Halves(refused, b"asked"))) == [b"asked"]


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
def test_who_is_not_let_in_does_not_ask_either(status: str) -> None:
    """The receiver counts failed attempts, and shuts its door after too many."""

    async def story() -> list[str]:
        enough = asyncio.Event()

        async def refuse(_request: Request, writer: asyncio.StreamWriter) -> None:
            writer.write(answer(status))
            if len(refusing.requests) == 3:
                enough.set()

        async with (
            asyncio.timeout(LIMIT),
            FakeReceiver(refuse) as refusing,
            httpx.AsyncClient(trust_env=False) as http,
            following(http, refusing.url),
        ):
            await enough.wait()
            return [request.line for request in refusing.requests]

    assert set(asyncio.run(story())) == {"GET /v1/peer-set/events HTTP/1.1"}


def test_who_answers_no_more_is_left_for_the_stream() -> None:
    """The round begins anew, by its streams."""

    async def story() -> None:
        asked = 0

        async def serve(request: Request, writer: asyncio.StreamWriter) -> None:
            nonlocal asked
            if "/events " in request.line:
                writer.write(STREAM + event(b"pushed") if asked >= 2 else answer("502 Bad Gateway"))
                return
            asked += 1
            writer.write(answer("200 OK", b"asked") if asked == 1 else answer("502 Bad Gateway"))

        async with (
            asyncio.timeout(LIMIT),
            FakeReceiver(serve) as receiver,
            httpx.AsyncClient(trust_env=False) as http,
            following(http, receiver.url) as (followed, taken),
        ):
            assert [await taken.get(), await taken.get()] == [b"asked", b"pushed"]
            assert followed.way is Way.STREAM

    asyncio.run(story())
