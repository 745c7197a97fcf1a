"""The control connection: it must not die with the worker whose death it reports.

With a full tunnel up, everything goes through the worker. So this connection's sockets carry the interface's own
firewall mark, which WireGuard's packets carry too, and take the way that they take. The mark must be there before
the socket connects; httpx sets its socket options after. Hence a network backend of our own (httpcore's public
interface for that).
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpcore
import httpx

from client_sync.addresses import AddressBook, Lookup, lookup
from wgfleet.files import read_secret

CONNECT_SECONDS = 3.0
"""For each address; more than a lost SYN's first repetition."""
LOOKUP_SECONDS = 3.0
Mark = Callable[[], int | None]


class MarkedBackend(httpcore.AsyncNetworkBackend):
    """Opens TCP connections whose packets carry a firewall mark from the first one on."""

    def __init__(self, mark: Mark, addresses: AddressBook, lookup: Lookup) -> None:
        """Take the mark anew for each connection: the interface may be given another."""
        self._mark = mark
        self._addresses = addresses
        self._lookup = lookup

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature.
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers; remembered ones go before looked-up ones."""
        del timeout, local_address, socket_options
        opened = await self.connected(host, port)
        try:
            return _Stream(*await asyncio.open_connection(sock=opened))
        except OSError as failed:
            opened.close()
            raise httpcore.ConnectError(f"{host}:{port}: {failed}") from failed

    async def connected(self, host: str, port: int) -> socket.socket:
        """A socket that is marked and connected, and blocks nobody. Raises httpcore.ConnectError."""
        error: Exception = httpcore.ConnectError(f"{host} has no address")
        tried: set[str] = set()
        for candidates in (self._remembered, self._looked_up):
            try:
                addresses = await candidates(host, port)
            except (OSError, TimeoutError) as failed:
                error = httpcore.ConnectError(
                    f"the name {host} does not resolve: {str(failed) or 'no answer in time'}"
                )
                continue
            for address in addresses:
                if address in tried:
                    continue
                tried.add(address)
                try:
                    return await self._connect(address, port)
                except (OSError, TimeoutError) as failed:
                    error = httpcore.ConnectError(f"{address}:{port}: {str(failed) or 'no answer in time'}")
        raise error

    async def sleep(self, seconds: float) -> None:
        """Wait, as httpcore asks."""
        await asyncio.sleep(seconds)

    async def _remembered(self, host: str, port: int) -> list[str]:
        del port
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            return self._addresses.remembered(host)

    async def _looked_up(self, host: str, port: int) -> list[str]:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(LOOKUP_SECONDS):
            found = list(await loop.run_in_executor(None, self._lookup, host, port))
        self._addresses.remember(host, found)
        return found

    async def _connect(self, address: str, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            mark = self._mark()
            if mark is not None:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
            async with asyncio.timeout(CONNECT_SECONDS):
                await asyncio.get_running_loop().sock_connect(opened, (address, port))
        except BaseException:
            opened.close()
            raise
        return opened


class _Stream(httpcore.AsyncNetworkStream):
    """asyncio's streams in httpcore's words."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's.
        try:
            async with asyncio.timeout(timeout):
                return await self._reader.read(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(f"nothing was heard for {timeout:g} s") from error
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's.
        try:
            async with asyncio.timeout(timeout):
                self._writer.write(buffer)
                await self._writer.drain()
        except TimeoutError as error:
            raise httpcore.WriteTimeout(f"nothing was taken for {timeout:g} s") from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    async def aclose(self) -> None:
        self._writer.close()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's.
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        except (OSError, TimeoutError) as error:
            raise httpcore.ConnectError(
                f"TLS with {server_hostname}: {str(error) or 'no answer in time'}"
            ) from error
        return self

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            # An idle connection that the server has closed must not carry the next request.
            return self._reader.at_eof() or self._writer.is_closing()
        names = {
            "client_addr": "sockname",
            "server_addr": "peername",
            "ssl_object": "ssl_object",
            "socket": "socket",
        }
        return self._writer.get_extra_info(names[info]) if info in names else None


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy that all receivers are reached through."""

    url: str
    credentials: str | None = field(default=None, repr=False)
    """`user:password`, if it wants any."""

    @classmethod
    def by(cls, url: str | None, credentials_file: Path | None) -> "Proxy | None":
        """The one at this URL, with what the file says; None without a URL."""
        if url is None:
            return None
        return cls(url, None if credentials_file is None else read_secret(credentials_file))

    @property
    def auth(self) -> tuple[str, str] | None:
        """The two apart."""
        if self.credentials is None:
            return None
        user, _, password = self.credentials.partition(":")
        return user, password


class MarkedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport on that backend.

    Through a proxy it is the proxy's name that is looked up and remembered, and the connection to the proxy that is marked.
    What is asked of an https receiver goes through `CONNECT`: the proxy sees its name and port, neither token nor document.
    """

    def __init__(
        self, backend: MarkedBackend, ssl_context: ssl.SSLContext, proxy: Proxy | None = None
    ) -> None:
        """Replace the connection pool that httpx made: it offers no way to give it a backend."""
        super().__init__(verify=ssl_context, trust_env=False)
        if proxy is None:
            self._pool = httpcore.AsyncConnectionPool(ssl_context=ssl_context, network_backend=backend)
            return
        self._pool = httpcore.AsyncHTTPProxy(
            proxy.url,
            proxy_auth=proxy.auth,
            proxy_ssl_context=ssl_context if proxy.url.startswith("https:") else None,
            ssl_context=ssl_context,
            network_backend=backend,
        )


def marked_backend(mark: Mark, addresses: AddressBook) -> MarkedBackend:
    """With the system's own look-up of names."""
    return MarkedBackend(mark, addresses, lookup)


def marked_client(
    ca_file: Path | None, mark: Mark, addresses: AddressBook, proxy: Proxy | None = None
) -> httpx.AsyncClient:
    """An HTTP client over such connections, which trusts this authority only, or else the system's."""
    context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    backend = marked_backend(mark, addresses)
    return httpx.AsyncClient(transport=MarkedTransport(backend, context, proxy), trust_env=False)
