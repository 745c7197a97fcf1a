"""Tests of client_sync/control.py, against real servers on loopback: addresses, and connections in use."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import AsyncIterator, Iterator, Sequence

import httpx
import pytest

from client_sync import control
from client_sync.addresses import AddressBook, lookup
from tests.client_sync.marked import HOST, answering, client, never
from tests.client_sync.receiver import FakeReceiver, Request, answer

# Which address.


def test_a_name_is_looked_up_and_what_was_found_is_remembered(book: AddressBook) -> None:
    """For the day on which no name server answers."""
    asked = []

    def found(host: str, port: int) -> Sequence[str]:
        asked.append((host, port))
        return ["127.0.0.1"]

    async def story() -> None:
        async with FakeReceiver(answering) as receiver, client(book, lookup=found) as http:
            got = await http.get(f"http://{HOST}:{receiver.port}/v1/peer-set")
            assert got.text == "yes"
            assert receiver.requests[0].headers["host"] == f"{HOST}:{receiver.port}"
            assert asked == [(HOST, receiver.port)]

    asyncio.run(story())
    assert book.remembered(HOST) == ["127.0.0.1"]


def test_a_remembered_address_is_used_without_a_lookup(book: AddressBook) -> None:
    """The name server may be behind the worker that died, and would be waited for."""
    book.remember(HOST, ["127.0.0.1"])

    async def story() -> str:
        async with FakeReceiver(answering) as receiver, client(book, lookup=never) as http:
            return (await http.get(f"http://{HOST}:{receiver.port}/")).text

    assert asyncio.run(story()) == "yes"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_needs_no_lookup(book: AddressBook, host: str) -> None:
    """Of either family."""

    async def story() -> str:
        async with FakeReceiver(answering, host) as receiver, client(book, lookup=never) as http:
            return (await http.get(receiver.url)).text

    assert asyncio.run(story()) == "yes"


def test_a_name_whose_remembered_addresses_are_dead_is_looked_up(book: AddressBook) -> None:
    """The receiver has moved; the new address is remembered in the place of the old one."""
    book.remember(HOST, ["127.0.0.1"])

    async def story() -> str:
        async with (
            FakeReceiver(answering, "127.0.0.2") as receiver,
            client(book, lookup=lambda _host, _port: ["127.0.0.2"]) as http,
        ):
            return (await http.get(f"http://{HOST}:{receiver.port}/")).text

    assert asyncio.run(story()) == "yes"
    assert book.remembered(HOST) == ["127.0.0.2"]


def test_every_address_is_tried_once(book: AddressBook) -> None:
    """Remembered ones first, then those that the lookup adds; the error is that of the last."""
    book.remember(HOST, ["127.0.0.1", "127.0.0.2"])
    sockets = []

    async def story() -> None:
        async with FakeReceiver(answering) as gone:
            pass
        async with client(
            book,
            lookup=lambda _host, _port: ["127.0.0.2", "127.0.0.3", "127.0.0.1"],
            mark=lambda: sockets.append("one more"),
        ) as http:
            with pytest.raises(httpx.ConnectError, match=rf"^127.0.0.3:{gone.port}: "):
                await http.get(f"http://{HOST}:{gone.port}/")

    asyncio.run(story())
    assert len(sockets) == 3


def test_a_name_without_addresses_is_an_error(book: AddressBook) -> None:
    """The name is said."""

    async def story() -> None:
        async with client(book, lookup=lambda _host, _port: []) as http:
            with pytest.raises(httpx.ConnectError, match=rf"^{HOST} has no address$"):
                await http.get(f"http://{HOST}:9587/")

    asyncio.run(story())


def test_a_lookup_that_fails_is_an_error(book: AddressBook) -> None:
    """With what the resolver said."""

    def failing(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_AGAIN, f"no server for {host}:{port}")

    async def story() -> None:
        async with client(book, lookup=failing) as http:
            with pytest.raises(httpx.ConnectError) as caught:
                await http.get(f"http://{HOST}:9587/")
            assert str(caught.value) == (
                f"the name {HOST} does not resolve: [Errno -3] no server for {HOST}:9587"
            )

    asyncio.run(story())
    assert book.remembered(HOST) == []


def test_a_lookup_that_hangs_is_given_up(book: AddressBook, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next receiver's turn comes."""
    monkeypatch.setattr(control, "LOOKUP_SECONDS", 0.1)  # The real one would make this test as slow.
    over = threading.Event()

    def hang(host: str, port: int) -> Sequence[str]:
        over.wait()
        raise OSError(f"{host}:{port}: too late")

    async def story() -> None:
        try:
            async with client(book, lookup=hang) as http:
                with pytest.raises(httpx.ConnectError) as caught:
                    await http.get(f"http://{HOST}:9587/")
        finally:
            over.set()  # An event loop does not close before its threads have ended.
        assert str(caught.value) == f"the name {HOST} does not resolve: no answer in time"

    asyncio.run(story())


@contextlib.contextmanager
def deaf(address: str) -> Iterator[int]:
    """A port that drops what comes: nobody accepts there, and its queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((address, 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex((address, port))
        yield port


def test_an_address_that_does_not_answer_is_given_up_for_the_next(
    book: AddressBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one drops all packets, as a host behind a dead worker does."""
    monkeypatch.setattr(control, "CONNECT_SECONDS", 0.2)  # The real one would make this test as slow.

    async def story(port: int) -> None:
        book.remember(HOST, ["127.0.0.1", "127.0.0.2"])
        async with FakeReceiver(answering, "127.0.0.2", port), client(book, lookup=lookup) as http:
            assert (await http.get(f"http://{HOST}:{port}/")).text == "yes"
            with pytest.raises(httpx.ConnectError, match=rf"^127.0.0.1:{port}: no answer in time$"):
                await http.get(f"http://127.0.0.1:{port}/")

    with deaf("127.0.0.1") as port:
        asyncio.run(story(port))


# While it is used.


def test_a_connection_is_used_again(book: AddressBook) -> None:
    """As long as it is open."""

    async def story() -> list[int]:
        async with FakeReceiver(answering) as receiver, client(book) as http:
            for _ in range(3):
                await http.get(receiver.url)
            return [request.connection for request in receiver.requests]

    assert asyncio.run(story()) == [1, 1, 1]


def test_a_connection_that_the_receiver_has_closed_is_not_used_again(book: AddressBook) -> None:
    """Servers close idle connections after some seconds; the next request must not be lost with one."""

    async def close_after(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer("200 OK", b"yes"))  # Nothing says that this is the last answer.
        raise ConnectionError

    async def story() -> list[int]:
        async with FakeReceiver(close_after) as receiver, client(book) as http:
            for _ in range(2):
                async with http.stream("GET", receiver.url) as got:
                    stream = got.extensions["network_stream"]
                    assert await got.aread() == b"yes"
                assert await stream.read(1) == b""  # It is known here by now.
            return [request.connection for request in receiver.requests]

    assert asyncio.run(story()) == [1, 2]


def test_silence_is_a_read_timeout(book: AddressBook) -> None:
    """The receiver took the request and says nothing."""

    async def silent(_request: Request, writer: asyncio.StreamWriter) -> None:
        await writer.drain()

    async def story() -> None:
        async with FakeReceiver(silent) as receiver, client(book, seconds=0.1) as http:
            with pytest.raises(httpx.ReadTimeout, match=r"^nothing was heard for 0.1 s$"):
                await http.get(receiver.url)

    asyncio.run(story())


def test_a_receiver_that_takes_nothing_is_a_write_timeout(book: AddressBook) -> None:
    """Its buffers are full, and stay so."""

    async def flood() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1_000_000

    async def story() -> None:
        async with client(book, seconds=0.2) as http:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                port = listener.getsockname()[1]
                with pytest.raises(httpx.WriteTimeout, match=r"^nothing was taken for 0.2 s$"):
                    await http.post(f"http://127.0.0.1:{port}/", content=flood())

    asyncio.run(story())


def test_a_connection_that_is_reset_is_an_http_error(book: AddressBook) -> None:
    """As whoever uses the client expects: not a stranger's exception."""

    async def reset(_request: Request, writer: asyncio.StreamWriter) -> None:
        opened = writer.get_extra_info("socket")
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionError

    async def story() -> None:
        async with FakeReceiver(reset) as receiver, client(book) as http:
            with pytest.raises(httpx.ReadError):
                await http.get(receiver.url)

    asyncio.run(story())


def test_a_connection_that_ends_in_the_middle_is_an_http_error(book: AddressBook) -> None:
    """Half an answer is none."""

    async def half(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer("200 OK", b"a whole document")[:-3])
        raise ConnectionError

    async def story() -> None:
        async with FakeReceiver(half) as receiver, client(book) as http:
            with pytest.raises(httpx.RemoteProtocolError):
                await http.get(receiver.url)

    asyncio.run(story())
