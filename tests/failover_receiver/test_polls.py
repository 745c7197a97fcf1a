"""Tests of failover_receiver/polls.py: over a real socket, the short way answers as the long one, and only where it may."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import uvicorn
from uvicorn.server import ServerState

from failover_receiver.access import Role
from failover_receiver.doorway import PEER_SET, PEER_SET_READERS
from failover_receiver.polls import Polls, protocol
from tests.failover_receiver.parts import LIMIT, NOON, TOKENS, Parts, seen

pytestmark = pytest.mark.anyio


class Counted(Polls):
    """Counts what it answers."""

    answered = 0

    def answer(self, url: bytes, headers: list[tuple[bytes, bytes]]) -> bytes | None:
        said = super().answer(url, headers)
        self.answered += said is not None
        return said


@dataclass
class Connection:
    """One that stays open, and what is needed to ask over it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    polls: Counted
    tag: str

    def poll(
        self, *headers: str, line: str = f"GET {PEER_SET} HTTP/1.1", tag: str = "", token: str = ""
    ) -> bytes:
        """A request that has the newest document, unless said otherwise."""
        said = [line, "Host: receiver", f"Authorization: Bearer {token or TOKENS[Role.CLIENT]}"]
        return "\r\n".join([*said, f"If-None-Match: {tag or self.tag}", *headers, "", ""]).encode()

    async def ask(self, request: bytes) -> list[bytes]:
        """The lines of the answer's head; and whether it was short."""
        self.writer.write(request)
        return await self.head()

    async def head(self) -> list[bytes]:
        """The next answer's."""
        async with asyncio.timeout(LIMIT):
            lines = (await self.reader.readuntil(b"\r\n\r\n")).rstrip().split(b"\r\n")
            length = [int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")]
            await self.reader.readexactly(sum(length))
            return lines


@pytest.fixture
async def connection(parts: Parts) -> AsyncIterator[Connection]:
    """To a receiver that publishes."""
    await parts.serve("fra1", "ams1")
    polls = Counted(PEER_SET, parts.receiver, PEER_SET_READERS)
    config = uvicorn.Config(parts.front, interface="asgi3", log_config=None, access_log=False)
    config.load()
    state, made = ServerState(), protocol(polls)
    state.default_headers = [(b"date", b"today")]
    server = await asyncio.get_running_loop().create_server(lambda: made(config, state, {}), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert parts.publication.shown is not None
        yield Connection(reader, writer, polls, parts.publication.shown.etag)
        writer.close()
        await writer.wait_closed()


async def test_both_ways_say_the_same(connection: Connection) -> None:
    """Head for head."""
    short = await connection.ask(connection.poll())
    assert connection.polls.answered == 1
    long = await connection.ask(connection.poll("X-Unknown: 1"))
    assert connection.polls.answered == 1

    assert short[0] == long[0] == b"HTTP/1.1 304 Not Modified"
    assert sorted(short) == sorted(long)
    assert b"date: today" in short


async def test_a_connection_goes_on_after_each(connection: Connection) -> None:
    """Short, long, changed: in any order."""
    requests = [
        connection.poll(),
        connection.poll("X-Unknown: 1"),
        connection.poll(),
        connection.poll(tag='"old"'),
    ]

    answers = [(await connection.ask(request))[0] for request in [*requests, connection.poll()]]

    assert [answer.split(b" ")[1] for answer in answers] == [b"304", b"304", b"304", b"200", b"304"]
    assert connection.polls.answered == 3


async def test_requests_sent_together_are_answered_in_their_order(connection: Connection) -> None:
    """A short answer does not overtake one that is owed."""
    connection.writer.write(
        connection.poll(tag='"old"') + connection.poll() + connection.poll("X-Unknown: 1")
    )

    answers = [(await connection.head())[0] for _ in range(3)]

    assert [answer.split(b" ")[1] for answer in answers] == [b"200", b"304", b"304"]


async def test_a_change_is_told_at_once(parts: Parts, connection: Connection) -> None:
    """Whoever has the one before gets the new one."""
    await parts.hear(seen("down", "fra1", NOON))

    assert (await connection.ask(connection.poll()))[0] == b"HTTP/1.1 200 OK"
    assert connection.polls.answered == 0


async def test_a_token_that_was_used_is_noted(parts: Parts, connection: Connection) -> None:
    """As for any other request."""
    client = next(token for token in parts.store.tokens.all() if token.role == Role.CLIENT)
    assert parts.receiver.gate.last_used(client.digest) is None

    await connection.ask(connection.poll())

    assert parts.receiver.gate.last_used(client.digest) == NOON


async def test_a_revoked_token_is_refused_at_once(parts: Parts, connection: Connection) -> None:
    """On a connection on which it was let in just before."""
    assert (await connection.ask(connection.poll()))[0] == b"HTTP/1.1 304 Not Modified"

    parts.receiver.gate.learn([token for token in parts.store.tokens.all() if token.role != Role.CLIENT])

    assert (await connection.ask(connection.poll()))[0] == b"HTTP/1.1 401 Unauthorized"


async def test_a_wrong_token_is_counted_once(connection: Connection) -> None:
    """Ten may be wrong at once; the short way must not count them, too."""
    wrong = connection.poll(token="wrong")

    answers = [(await connection.ask(wrong))[0].split(b" ")[1] for _ in range(11)]

    assert answers == [b"401"] * 10 + [b"429"]
    assert (await connection.ask(connection.poll()))[0] == b"HTTP/1.1 304 Not Modified"


@pytest.mark.parametrize(
    ("headers", "line", "status"),
    [
        pytest.param([], "HEAD /v1/peer-set HTTP/1.1", b"304", id="another method"),
        pytest.param([], "GET /v1/peer-set?x=1 HTTP/1.1", b"304", id="a query"),
        pytest.param([], "GET /livez HTTP/1.1", b"200", id="another path"),
        pytest.param([], "GET /v1/peer-set HTTP/1.0", b"304", id="an old client"),
        pytest.param(["Connection: close"], "GET /v1/peer-set HTTP/1.1", b"304", id="the last request"),
        pytest.param(["Expect: 100-continue"], "GET /v1/peer-set HTTP/1.1", b"304", id="an expectation"),
        pytest.param(["Content-Length: 0"], "GET /v1/peer-set HTTP/1.1", b"304", id="a body"),
    ],
)
async def test_what_is_special_goes_the_long_way(
    connection: Connection, headers: list[str], line: str, status: bytes
) -> None:
    """And is answered as ever."""
    answer = await connection.ask(connection.poll(*headers, line=line))

    assert answer[0].split(b" ")[1] == status
    assert connection.polls.answered == 0


async def test_a_role_that_may_not_read_it_is_refused(connection: Connection) -> None:
    """403, by the long way."""
    answer = await connection.ask(connection.poll(token=TOKENS[Role.PROMETHEUS]))

    assert answer[0] == b"HTTP/1.1 403 Forbidden"
