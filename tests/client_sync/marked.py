"""A client over marked connections, and what it needs to find a receiver on loopback."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

import httpx

from client_sync.addresses import AddressBook, Lookup
from client_sync.control import Mark, MarkedBackend, MarkedTransport, Proxy
from tests.client_sync.receiver import Request, answer

HOST = "monitoring.example.com"


def never(host: str, port: int) -> list[str]:
    """A lookup that must not be asked."""
    raise AssertionError(f"{host}:{port} was looked up")


def unmarked() -> None:
    """No mark: the interface has none."""


async def answering(_request: Request, writer: asyncio.StreamWriter) -> None:
    """Says yes to everything."""
    writer.write(answer("200 OK", b"yes"))


@contextlib.asynccontextmanager
async def client(
    book: AddressBook,
    *,
    lookup: Lookup = never,
    mark: Mark = unmarked,
    tls: ssl.SSLContext | None = None,
    seconds: float = 30.0,
    proxy: Proxy | None = None,
) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client over marked connections."""
    backend = MarkedBackend(mark, book, lookup)
    transport = MarkedTransport(backend, tls or ssl.create_default_context(), proxy)
    async with httpx.AsyncClient(transport=transport, timeout=seconds, trust_env=False) as http:
        yield http
