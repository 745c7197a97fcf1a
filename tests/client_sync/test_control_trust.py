"""Tests of client_sync/control.py, against real servers on loopback: the mark, and whom TLS trusts."""

import asyncio
import socket
import ssl
from pathlib import Path

import httpx
import pytest

from client_sync.addresses import AddressBook, lookup
from tests.client_sync.certificates import Authority
from tests.client_sync.marked import HOST, answering, client
from tests.client_sync.own_network import in_own_network, ip
from tests.client_sync.receiver import FakeReceiver, Request, answer

MARK = 51820
REFUSED = "127.0.0.1:9587: [Errno 13] Permission denied"
"""What the kernel says to a connection that a rule prohibits."""


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
        ip("rule add pref 5 ipproto 6 dport 9587 prohibit")
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
            client(book, tls=ours.trusting()) as http,
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

    said = refusal(book, ours.trusting(), FakeReceiver(answering, tls=theirs.server(HOST)))

    assert said.startswith(f"TLS with {HOST}: [SSL: CERTIFICATE_VERIFY_FAILED]")


def test_a_certificate_for_another_name_is_refused(book: AddressBook, ours: Authority) -> None:
    """Though the authority is the right one."""
    said = refusal(book, ours.trusting(), FakeReceiver(answering, tls=ours.server("other.example.com")))

    assert f"certificate is not valid for '{HOST}'" in said


def test_a_server_without_tls_is_refused(book: AddressBook, ours: Authority) -> None:
    """It is not spoken to in clear instead."""

    async def plain(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer("400 Bad Request"))
        writer.close()

    async def story() -> None:
        async with (
            await asyncio.start_server(plain, "127.0.0.1") as server,
            client(book, tls=ours.trusting()) as http,
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
            client(book, tls=ours.trusting()) as http,
        ):
            return (await http.get(f"https://{HOST}:{receiver.port}/")).content

    assert asyncio.run(story()) == large
