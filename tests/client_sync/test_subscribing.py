"""Tests of client_sync/subscribing.py on a real mosquitto."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiomqtt
import pytest

from client_sync import subscribing
from client_sync.addresses import AddressBook, lookup
from client_sync.brokers import Broker
from client_sync.control import Mark, MarkedBackend
from client_sync.subscribing import Subscription
from tests.client_sync.marked import HOST, unmarked
from tests.client_sync.own_network import in_own_network, ip
from tests.client_sync.scene import said
from tests.failover_receiver.publishing import broker as real
from tests.failover_receiver.publishing.broker import PASSWORD, USER

TOPIC = "wgfleet/example/peer-set"
MARK = 51820
Taken = asyncio.Queue[bytes]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[real.Broker]:
    """One that lets everybody in."""
    with real.Broker(tmp_path) as up:
        yield up


@contextlib.asynccontextmanager
async def following(
    of: Broker, book: AddressBook, mark: Mark = unmarked
) -> AsyncIterator[tuple[Subscription, Taken]]:
    """A subscription that is followed as the daemon follows it, and the documents that it brings."""
    taken: Taken = asyncio.Queue()
    followed = Subscription(of, TOPIC, MarkedBackend(mark, book, lookup))

    async def follow() -> None:
        async for document in followed.documents():
            taken.put_nowait(document)

    task = asyncio.create_task(follow())
    try:
        async with asyncio.timeout(20.0):
            yield followed, taken
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(come: Callable[[], bool]) -> None:
    """Wait until it has come."""
    while not come():  # noqa: ASYNC110 - A line of the log has no event.
        await asyncio.sleep(0.01)


async def retain(broker: real.Broker, document: bytes) -> None:
    """Publish it as the receiver does."""
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.publish(TOPIC, document, qos=1, retain=True)


def test_what_is_retained_comes_first_and_then_what_follows(broker: real.Broker, book: AddressBook) -> None:
    """As it was published; and it is known to be followed from the first document on."""

    async def story() -> None:
        await retain(broker, b"first")
        async with following(Broker(broker.url), book) as (followed, taken):
            assert await taken.get() == b"first"
            assert (followed.followed.is_set(), followed.lost.is_set()) == (True, False)
            await retain(broker, b"second")
            assert await taken.get() == b"second"

    asyncio.run(story())


def test_a_broker_that_was_killed_is_followed_again(
    broker: real.Broker, book: AddressBook, caplog: pytest.LogCaptureFixture
) -> None:
    """From what it retains by then; and meanwhile it is known to be lost."""
    caplog.set_level(logging.INFO)

    async def story() -> None:
        await retain(broker, b"first")
        async with following(Broker(broker.url), book) as (followed, taken):
            await taken.get()
            broker.kill()
            await followed.lost.wait()
            assert not followed.followed.is_set()
            await asyncio.to_thread(broker.start)
            await retain(broker, b"second")
            assert await taken.get() == b"second"

    asyncio.run(story())
    assert [one["by"] for one in said(caplog, "following")] == ["broker", "broker"]
    assert said(caplog, "broker lost")[0]["broker"] == broker.url


def test_a_broker_that_has_nothing_is_said(
    broker: real.Broker, book: AddressBook, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not followed: receivers are, if there are any."""
    monkeypatch.setattr(subscribing, "FIRST_SECONDS", 0.05)

    async def story() -> None:
        async with following(Broker(broker.url), book) as (followed, _):
            await until(lambda: bool(said(caplog, "broker lost")))
            assert followed.lost.is_set()

    asyncio.run(story())
    assert said(caplog, "broker lost")[0]["error"] == (
        f"it has nothing under {TOPIC}: does the receiver publish there, and may this client read it?"
    )


def test_a_certificate_and_a_password_are_shown_to_a_broker_that_wants_them(
    tmp_path: Path, book: AddressBook
) -> None:
    """And it is trusted by the operator's authority."""
    (tmp_path / "password").write_text(PASSWORD)

    async def story(broker: real.Broker) -> bytes:
        certificate, key = broker.client
        of = Broker(
            broker.url,
            ca_file=broker.ca_file,
            cert_file=certificate,
            key_file=key,
            username=USER,
            password_file=tmp_path / "password",
        )
        async with following(of, book) as (_, taken):
            await retain_by_tls(broker)
            return await taken.get()

    async def retain_by_tls(broker: real.Broker) -> None:
        certificate, key = map(str, broker.client)
        tls = aiomqtt.TLSParameters(ca_certs=str(broker.ca_file), certfile=certificate, keyfile=key)
        async with aiomqtt.Client(
            "127.0.0.1", broker.port, username=USER, password=PASSWORD, tls_params=tls
        ) as client:
            await client.publish(TOPIC, b"first", qos=1, retain=True)

    with real.Broker(tmp_path, tls=True, password=True) as broker:
        assert asyncio.run(story(broker)) == b"first"


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # paho lets the socket go unclosed.
def test_a_broker_of_another_authority_is_not_followed(
    tmp_path: Path, book: AddressBook, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be anybody."""

    async def story(broker: real.Broker) -> None:
        async with following(Broker(broker.url), book):
            await until(lambda: bool(said(caplog, "broker lost")))

    with real.Broker(tmp_path, tls=True) as broker:
        asyncio.run(story(broker))

    assert "certificate verify failed" in str(said(caplog, "broker lost")[0]["error"])


def test_what_is_no_certificate_is_said_by_its_key(tmp_path: Path, book: AddressBook) -> None:
    """At the start."""
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")

    with pytest.raises(ValueError, match=r"^mqtt\.ca_file: .*ca\.pem cannot be used"):
        Subscription(Broker("mqtts://b", ca_file=file), TOPIC, MarkedBackend(unmarked, book, lookup))


def test_remembered_addresses_lead_to_the_broker(broker: real.Broker, book: AddressBook) -> None:
    """The name server may be behind the worker that died."""
    book.remember(HOST, ["127.0.0.1"])

    async def story() -> bytes:
        await retain(broker, b"first")
        async with following(Broker(f"mqtt://{HOST}:{broker.port}"), book) as (_, taken):
            return await taken.get()

    assert asyncio.run(story()) == b"first"


@pytest.mark.system
@pytest.mark.parametrize("mark", [MARK, None])
def test_the_very_first_packet_carries_the_mark(
    tmp_path: Path, book: AddressBook, caplog: pytest.LogCaptureFixture, mark: int | None
) -> None:
    """In a network where only packets with the mark reach the broker, it is followed with it and not without."""

    async def story(broker: real.Broker) -> str:
        await retain(broker, b"first")
        ip(f"rule add pref 5 ipproto 6 dport {broker.port} prohibit")
        async with following(Broker(broker.url), book, lambda: mark) as (_, taken):
            await until(lambda: not taken.empty() or bool(said(caplog, "broker lost")))
            return "lost" if taken.empty() else "followed"

    def part() -> str:
        ip("rule add pref 10 table local")
        ip("rule del pref 0")
        ip(f"rule add pref 4 fwmark {MARK} table local")
        with real.Broker(tmp_path) as broker:
            return asyncio.run(story(broker))

    assert in_own_network(part) == ("lost" if mark is None else "followed")
