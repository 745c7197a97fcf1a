"""Tests of failover_receiver/lines.py: on uvicorn's own protocol, over a real socket, both ways write the same."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from failover_receiver.lines import Line, Send, UvicornLine, line_of, part
from tests.failover_receiver.parts import LIMIT

pytestmark = pytest.mark.anyio

HEAD = {"type": "http.response.start", "status": 200, "headers": []}
ASK = b"GET / HTTP/1.1\r\nHost: receiver\r\n\r\n"
LARGE = part(b"x" * 1_000_000)


async def on_uvicorn(use: Callable[[Line], Any], choose: Callable[[Send], Line] = line_of) -> bytes:
    """What comes over the wire, until the end, when a line is used so."""

    async def app(_scope: Scope, receive: Receive, send: Any) -> None:
        await send(HEAD)
        line = choose(send)
        use(line)
        while (await receive())["type"] != "http.disconnect":
            pass

    config = uvicorn.Config(app, interface="asgi3", log_config=None, access_log=False)
    config.load()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: HttpToolsProtocol(config, ServerState(), {}), "127.0.0.1", 0)
    async with asyncio.timeout(LIMIT), server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        said = b""
        with contextlib.suppress(ConnectionResetError):
            said = await reader.read()
        writer.close()
    return said


def three_parts(line: Line) -> None:
    """Two parts and the end."""
    assert line.offer(part(b"one"))
    assert line.offer(part(b"two" * 100))
    line.end()


async def test_uvicorns_own_connection_is_found_behind_its_send() -> None:
    """Or all would still work, and cost more."""
    found: list[Line] = []

    def keep(line: Line) -> None:
        found.append(line)
        line.end()

    await on_uvicorn(keep)

    assert [type(line) for line in found] == [UvicornLine]


async def test_both_ways_write_the_same_bytes() -> None:
    """Chunks as HTTP/1.1 has them, and a clean end."""
    short = await on_uvicorn(three_parts)
    plain = await on_uvicorn(three_parts, Line)

    assert short == plain
    assert short.endswith(b"\r\n3\r\none\r\n12c\r\n" + b"two" * 100 + b"\r\n0\r\n\r\n")


@pytest.mark.parametrize("choose", [line_of, Line])
async def test_what_finds_no_room_is_not_written_at_all(choose: Callable[[Send], Line]) -> None:
    """Who reads again finds whole parts, and after them what is newest by then."""
    taken: list[bool] = []
    tasks: list[asyncio.Future[None]] = []

    async def go_on(line: Line) -> None:
        await line.room()
        assert line.offer(part(b"newest"))
        line.end()

    def fill(line: Line) -> None:
        while line.offer(LARGE):  # The other end reads in this same loop, so not now.
            taken.append(True)
        tasks.append(asyncio.ensure_future(go_on(line)))

    said = await on_uvicorn(fill, choose)

    assert taken
    assert said.partition(b"\r\n\r\n")[2] == LARGE.wire * len(taken) + b"6\r\nnewest\r\n0\r\n\r\n"


async def test_an_end_that_finds_no_room_cuts_the_connection() -> None:
    """A stop waits for nobody who does not read."""

    def fill_and_end(line: Line) -> None:
        while line.offer(LARGE):
            pass
        line.end()

    said = await on_uvicorn(fill_and_end)

    assert not said.endswith(b"0\r\n\r\n")


async def test_another_servers_send_is_used_as_it_is() -> None:
    """ASGI alone."""

    async def send(_message: Any, /) -> None:
        pass

    assert type(line_of(send)) is Line
