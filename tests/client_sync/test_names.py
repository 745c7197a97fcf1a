"""Tests of client_sync/names.py: names of endpoints, with name servers that answer, answer otherwise, late or never."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from client_sync import names as module
from client_sync.addresses import AddressBook
from client_sync.names import AGAIN_SECONDS, UNKNOWN_SECONDS, Names
from tests.client_sync.scene import SECONDS, said

NAME = "fra1.example.com"
HERE, THERE = "192.0.2.1", "198.51.100.1"


class Server:
    """A name server."""

    def __init__(self) -> None:
        self.answer: Sequence[str] = [HERE]
        self.asked = 0
        self.up = threading.Event()
        """Clear: it does not answer."""
        self.up.set()
        self.answered = threading.Semaphore(0)
        self.now = 0.0

    def look_up(self, host: str, port: int) -> list[str]:
        """As `lookup`."""
        del port
        self.asked += 1
        self.up.wait()
        try:
            if not self.answer:
                raise OSError(f"no such name: {host}")
            return list(self.answer)
        finally:
            self.answered.release()

    def names(self, book: AddressBook) -> Names:
        """A daemon's, just started."""
        return Names(book, self.look_up, clock=lambda: self.now)

    def wait(self) -> None:
        """Until it has answered what it was asked."""
        assert self.answered.acquire(timeout=SECONDS)
        for thread in threading.enumerate():
            if thread.name == "names":
                thread.join(SECONDS)


@pytest.fixture
def server() -> Iterator[Server]:
    """Up; what still waits for it in the end is answered."""
    one = Server()
    yield one
    one.up.set()


@pytest.mark.parametrize("address", [HERE, "2001:db8::1"])
def test_an_address_is_its_own(server: Server, book: AddressBook, address: str) -> None:
    """Nothing is looked up."""
    assert server.names(book)(address, 51820) == (address,)
    assert server.asked == 0


def test_a_name_that_is_remembered_needs_no_name_server(server: Server, book: AddressBook) -> None:
    """It is behind the worker that is dead, say. All addresses are told, at once."""
    book.remember(NAME, [HERE, THERE])
    server.up.clear()

    assert server.names(book)(NAME, 51820) == (HERE, THERE)


def test_a_name_that_resolves_is_remembered(server: Server, tmp_path: Path) -> None:
    """For the day on which no name server answers."""
    file = tmp_path / "book"

    assert server.names(AddressBook(file))(NAME, 51820) == (HERE,)

    assert AddressBook(file).remembered(NAME) == [HERE]


def test_a_name_that_does_not_resolve_is_said_and_soon_asked_for_again(
    server: Server, book: AddressBook, caplog: pytest.LogCaptureFixture
) -> None:
    """It has no address; the others' have."""
    server.answer = []
    names = server.names(book)

    assert names(NAME, 51820) == names(NAME, 51820) == ()
    assert (server.asked, said(caplog, "endpoint does not resolve")[0]["host"]) == (1, NAME)

    server.answer, server.now = [HERE], UNKNOWN_SECONDS
    assert names(NAME, 51820) == (HERE,)


def test_a_worker_that_moved_is_found(server: Server, book: AddressBook) -> None:
    """What was known is told at once; it is looked up again beside, and told from then on."""
    names = server.names(book)
    assert names(NAME, 51820) == (HERE,)
    server.wait()
    server.answer, server.now = [THERE], AGAIN_SECONDS

    assert names(NAME, 51820) == (HERE,)
    server.wait()

    assert names(NAME, 51820) == (THERE,)
    assert server.asked == 2


def test_another_order_is_no_news(server: Server, book: AddressBook) -> None:
    """Name servers give several addresses in turn; nobody is moved by that."""
    book.remember(NAME, [HERE, THERE])
    server.answer = [THERE, "203.0.113.1", HERE]
    names = server.names(book)

    names(NAME, 51820)
    server.wait()

    assert names(NAME, 51820) == (HERE, THERE, "203.0.113.1")


def test_nobody_waits_twice_for_a_name_server_that_is_away(
    server: Server, book: AddressBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next names are looked up beside; each name by one thread."""
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.01)
    server.up.clear()
    names = server.names(book)
    assert names(NAME, 51820) == ()
    monkeypatch.setattr(module, "WAIT_SECONDS", threading.TIMEOUT_MAX)  # Who waits now, waits for ever.

    assert names("fra2.example.com", 51820) == ()
    server.now = AGAIN_SECONDS
    assert names(NAME, 51820) == ()

    assert server.asked == 2


def test_an_answer_that_comes_late_is_told(
    server: Server, book: AddressBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's peer has no endpoint until then."""
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.01)
    server.up.clear()

    async def story() -> tuple[str, ...]:
        names, told = server.names(book), asyncio.Event()
        names.changed = told.set
        assert names(NAME, 51820) == ()
        server.up.set()
        async with asyncio.timeout(SECONDS):
            await told.wait()
        return names(NAME, 51820)

    assert asyncio.run(story()) == (HERE,)
