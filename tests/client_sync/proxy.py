"""An HTTP proxy on loopback: `CONNECT` for https, whole URLs for http; and one that keeps every answer until its end."""

import asyncio
import contextlib
import ssl
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


@dataclass
class RealProxy:
    """Listens from `async with` to its end."""

    keeps: bool = False
    """Pass an answer on only when it is whole, as proxies do that look into everything."""
    refuses: bool = False
    tls: ssl.SSLContext | None = None
    resolves: dict[str, str] = field(default_factory=dict)
    """Names that only the proxy knows."""
    heads: list[str] = field(default_factory=list)
    """What it was asked, in clear."""
    asked: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    """The same, to wait for."""
    port: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._pass_on(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.transport.abort() if task.cancelled() else writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        self.asked.put_nowait(head)
        line, *fields = head.split("\r\n")[:-2]
        method, target, _ = line.split(" ")
        if self.refuses:
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        host = parts.hostname or ""
        behind, ahead = await asyncio.open_connection(self.resolves.get(host, host), parts.port)
        try:
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                kept = [one for one in fields if not one.lower().startswith(("proxy-", "connection:"))]
                lines = [f"{method} {parts.path} HTTP/1.1", *kept, "Connection: close", "", ""]
                ahead.write("\r\n".join(lines).encode())
            answering = asyncio.create_task(_copy(behind, writer, whole=self.keeps))
            asking = asyncio.create_task(_copy(reader, ahead))
            try:
                await asyncio.wait((answering, asking), return_when=asyncio.FIRST_COMPLETED)
            finally:
                answering.cancel()
                asking.cancel()
                await asyncio.gather(answering, asking, return_exceptions=True)
        finally:
            ahead.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, whole: bool = False) -> None:
    """One direction, as it comes or all at its end."""
    if whole:
        writer.write(await reader.read())
    else:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    await writer.drain()
