"""Tests of client_sync/control.py, against real servers on loopback."""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from client_sync import control
from client_sync.addresses import AddressBook, Lookup, lookup
from client_sync.control import Mark, MarkedBackend, MarkedTransport
from tests.client_sync.certificates import Authority
from tests.client_sync.own_network import in_own_network, ip
from tests.client_sync.receiver import FakeReceiver, Request, answer

HOST = "monitoring.example.com"
MARK = 51820
REFUSED = "127.0.0.1:9587: [Errno 13] Permission denied"
"""What the kernel says to a connection that a rule prohibits."""


def never(host: str, port: int) -> list[str]:
    """A lookup that must not be asked."""
    raise AssertionError(f"{host}:{port} was looked up")


def unmarked() -> None:
    """No mark: the interface has none."""


async def answering(_request: Request, writer: asyncio.StreamWriter) -> None:
    """Says yes to everything."""
    writer.write(answer("200 OK", b"yes"))


@pytest.fixture
def book(tmp_path: Path) -> AddressBook:
    """A book in which nothing is written yet."""
    return AddressBook(tmp_path / "addresses.json")


@contextlib.asynccontextmanager
async def client(
    book: AddressBook,
    *,
    lookup: Lookup = never,
    mark: Mark = unmarked,
    tls: ssl.SSLContext | None = None,
    seconds: float = 30.0,
) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client over marked connections."""
    transport = MarkedTransport(MarkedBackend(mark, book, lookup), tls or ssl.create_default_context())
    async with httpx.AsyncClient(transport=transport, timeout=seconds, trust_env=False) as http:
        yield http


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


# The mark.


def test_the_mark_is_asked_for_before_each_connection(book: AddressBook) -> None:
    """At a time when the server knows nothing of it; anew each time, since the interface may be given another."""
    seen: list[int] = []

    async def story() -> None:
        async def close_after(_request: Request, writer: asyncio.StreamWriter) -> None:
            writer.write(answer("200 OK", headers="Connection: close\r\n"))

        async with (
            FakeReceiver(close_after) as receiver,
            client(book, mark=lambda: seen.append(receiver.connections)) as http,
        ):
            for _ in range(3):
                await http.get(receiver.url)

    asyncio.run(story())
    assert seen == [0, 1, 2]


@pytest.mark.system
def test_the_socket_carries_the_mark(book: AddressBook) -> None:
    """The socket of a connection that is in use has the mark of the moment it was made."""
    marks = iter([MARK, 7])

    async def story() -> list[int]:
        found = []

        async def close_after(_request: Request, writer: asyncio.StreamWriter) -> None:
            writer.write(answer("200 OK", headers="Connection: close\r\n"))

        async with (
            FakeReceiver(close_after) as receiver,
            client(book, mark=lambda: next(marks)) as http,
        ):
            for _ in range(2):
                async with http.stream("GET", receiver.url) as got:
                    opened = got.extensions["network_stream"].get_extra_info("socket")
                    found.append(opened.getsockopt(socket.SOL_SOCKET, socket.SO_MARK))
        return found

    assert asyncio.run(story()) == [MARK, 7]


@pytest.mark.system
@pytest.mark.parametrize(("mark", "outcome"), [(MARK, "yes"), (MARK + 1, REFUSED), (None, REFUSED)])
def test_the_very_first_packet_carries_the_mark(book: AddressBook, mark: int | None, outcome: str) -> None:
    """In a network where only packets with the mark reach the receiver, a connection with it is made and others are not."""

    async def story() -> str:
        async with (
            FakeReceiver(answering, port=9587) as receiver,
            client(book, lookup=lookup, mark=lambda: mark) as http,
        ):
            try:
                return (await http.get(receiver.url)).text
            except httpx.ConnectError as error:
                return str(error)

    def part() -> str:
        ip("rule add pref 10 table local")
        ip("rule del pref 0")
        ip(f"rule add pref 4 fwmark {MARK} table local")
        ip("rule add pref 5 ipproto tcp dport 9587 prohibit")
        return asyncio.run(story())

    assert in_own_network(part) == outcome


# TLS.


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    """The authority that is pinned."""
    return Authority(tmp_path, "ours")


def test_a_receiver_with_a_certificate_of_the_pinned_authority_is_trusted(
    book: AddressBook, ours: Authority
) -> None:
    """By the name in the URL, whatever address it has."""
    book.remember(HOST, ["127.0.0.1"])

    async def story() -> str:
        async with (
            FakeReceiver(answering, tls=ours.server(HOST)) as receiver,
            client(book, tls=ours.pinned()) as http,
        ):
            return (await http.get(f"https://{HOST}:{receiver.port}/")).text

    assert asyncio.run(story()) == "yes"


def refusal(book: AddressBook, tls: ssl.SSLContext, receiver: FakeReceiver) -> str:
    """Why the client does not talk to this receiver."""
    book.remember(HOST, ["127.0.0.1"])

    async def story() -> str:
        async with receiver, client(book, tls=tls) as http:
            with pytest.raises(httpx.ConnectError) as caught:
                await http.get(f"https://{HOST}:{receiver.port}/", headers={"Authorization": "Bearer secret"})
            assert receiver.requests == []
        return str(caught.value)

    return asyncio.run(story())


def test_a_certificate_of_another_authority_is_refused(
    book: AddressBook, ours: Authority, tmp_path: Path
) -> None:
    """The token is not sent there."""
    theirs = Authority(tmp_path, "theirs")

    said = refusal(book, ours.pinned(), FakeReceiver(answering, tls=theirs.server(HOST)))

    assert said.startswith(f"TLS with {HOST}: [SSL: CERTIFICATE_VERIFY_FAILED]")


def test_a_certificate_for_another_name_is_refused(book: AddressBook, ours: Authority) -> None:
    """Though the authority is the right one."""
    said = refusal(book, ours.pinned(), FakeReceiver(answering, tls=ours.server("other.example.com")))

    assert f"certificate is not valid for '{HOST}'" in said


def test_a_server_without_tls_is_refused(book: AddressBook, ours: Authority) -> None:
    """It is not spoken to in clear instead."""

    async def plain(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer("400 Bad Request"))
        writer.close()

    async def story() -> None:
        async with (
            await asyncio.start_server(plain, "127.0.0.1") as server,
            client(book, tls=ours.pinned()) as http,
        ):
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(httpx.ConnectError, match=r"^TLS with 127.0.0.1: \[SSL"):
                await http.get(f"https://127.0.0.1:{port}/")

    asyncio.run(story())


def test_a_large_document_comes_through_tls(book: AddressBook, ours: Authority) -> None:
    """Larger than all buffers on the way."""
    book.remember(HOST, ["127.0.0.1"])
    large = bytes(range(256)) * 16_384

    async def send(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer("200 OK", large))

    async def story() -> bytes:
        async with (
            FakeReceiver(send, tls=ours.server(HOST)) as receiver,
            client(book, tls=ours.pinned()) as http,
        ):
            return (await http.get(f"https://{HOST}:{receiver.port}/")).content

    assert asyncio.run(story()) == large


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
