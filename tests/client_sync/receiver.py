"""A receiver on loopback, as small as HTTP allows: it answers each request as the test says."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
"""The head of an answer that ends when the connection does."""


def answer(status: str, body: bytes = b"", headers: str = "") -> bytes:
    """A whole answer; the connection may be used again."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def event(document: bytes, name: str = "peer-set") -> bytes:
    """A server-sent event as the receiver writes it."""
    return b"event: %s\nid: 1.1\ndata: %s\n\n" % (name.encode(), document)


@dataclass
class Request:
    """What was asked."""

    line: str
    headers: dict[str, str]
    body: bytes
    connection: int
    """The first connection's is 1."""


Answer = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]
"""Writes the answer. The connection is closed when it raises ConnectionError, else kept for the next request."""


@dataclass
class FakeReceiver:
    """Listens from `async with` to its end."""

    answer: Answer
    host: str = "127.0.0.1"
    port: int = 0
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Where it is."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self.host, self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in self._open:
            writer.transport.abort()  # Whoever reads there now reads its end.
        await asyncio.gather(*self._tasks)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        try:
            while True:
                request = await _read(reader, number)
                self.requests.append(request)
                await self.answer(request, writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._tasks.discard(task)
            self._open.discard(writer)
            writer.close()


async def _read(reader: asyncio.StreamReader, connection: int) -> Request:
    head = await reader.readuntil(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")[:-2]
    headers = {name.lower(): value for name, value in (one.split(": ", 1) for one in fields)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(line, headers, body, connection)


class Acks:
    """Takes acks, or refuses them."""

    def __init__(self, status: str = "204 No Content") -> None:
        self.status = status
        self.taken: asyncio.Queue[Request] = asyncio.Queue()

    async def __call__(self, request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(self.status))
        self.taken.put_nowait(request)
