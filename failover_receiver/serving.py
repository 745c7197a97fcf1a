"""The HTTP server of a receiver, and of whoever follows one."""

import asyncio
import ipaddress
import logging
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import uvicorn
from starlette.types import ASGIApp

from failover_receiver.doorway import PEER_SET, PEER_SET_READERS, Shows
from failover_receiver.listening import BACKLOG, url
from failover_receiver.polls import Polls, protocol
from failover_receiver.receiver import Streams
from wgfleet.collecting import collect_seldom
from wgfleet.logs import say

log = logging.getLogger(__name__)
GRACE_SECONDS = 3
"""For requests under way when we are told to stop; streams are ended at once."""


class Listening(Protocol):
    """As much of a configuration as a server needs."""

    @property
    def listen_address(self) -> str:
        """A name or an address."""

    @property
    def trusted_proxies(self) -> list[str]:
        """Whose X-Forwarded-For is believed."""

    @property
    def tls_certificate_file(self) -> Path | None:
        """With it, https is spoken."""

    @property
    def tls_key_file(self) -> Path | None:
        """Its key."""


class Server(uvicorn.Server):
    """Stops cleanly: uvicorn alone waits for open streams forever, and then dies of the signal it has caught."""

    def __init__(
        self,
        config: uvicorn.Config,
        streams: Sequence[Streams],
        *,
        word: str = "serving",
        signals: bool = True,
    ) -> None:
        """End these streams when it is told to stop, by a signal if it hears any; `word` is what its log says it does."""
        super().__init__(config)
        self._streams = streams
        self._word = word
        self._signals = signals
        self.began = asyncio.Event()
        """It listens."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if not self._signals:
            yield
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for one in sockets or []:
            if one.family != socket.AF_UNIX:
                say(log, self._word, url=url(one, tls=self.config.ssl is not None))
        self.began.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # A body that is not whole may never be: nothing was done of it, and its sender asks again.
        for connection in list(self.server_state.connections):
            cycle = getattr(connection, "cycle", None)
            if cycle is not None and cycle.more_body and not cycle.response_started:
                connection.transport.close()
        await super().shutdown(sockets)

    async def serve_beside(self, works: Sequence[asyncio.Task[None]], sockets: list[socket.socket]) -> None:
        """Serve, unless one of these fails: a bug that ends one takes all along, and systemd starts them again.

        What is served would grow old otherwise, and nobody would see it. Raises RuntimeError then.
        """
        for one in works:
            one.add_done_callback(self._stop_if_failed)
        await self.serve(sockets)
        failed = next(filter(None, map(_failure, works)), None)
        if failed is not None:
            raise RuntimeError("what was served could not be kept up to date") from failed

    def _stop_if_failed(self, work: asyncio.Task[None]) -> None:
        if tell_of_failure(work):
            self.stop()

    def stop(self) -> None:
        """Take no more, end what is open, and let `serve` return."""
        for stream in self._streams:
            stream.close()
        self.should_exit = True


def tell_of_failure(work: asyncio.Task[None]) -> bool:
    """Say what it died of, if it did; for what runs beside a server. Whether it did."""
    failed = _failure(work)
    if failed is not None:
        say(log, "a part has failed", level=logging.ERROR, error=repr(failed))
    return failed is not None


def _failure(work: asyncio.Task[None]) -> BaseException | None:
    """What it died of; None: it goes on, has come to its end, or was told to stop."""
    return work.exception() if work.done() and not work.cancelled() else None


def make(
    app: ASGIApp, shows: Shows, settings: Listening, streams: Sequence[Streams], *, word: str = "serving"
) -> Server:
    """A server that listens as these settings say, and answers polls that find nothing new by itself."""
    collect_seldom()
    config = uvicorn.Config(
        app,
        interface="asgi3",
        http=protocol(Polls(PEER_SET, shows, PEER_SET_READERS)),
        backlog=BACKLOG,
        lifespan="off",  # No part of ours begins or ends by it: uvicorn would say that it is missing.
        ssl_certfile=settings.tls_certificate_file,
        ssl_keyfile=settings.tls_key_file,
        log_config=None,
        access_log=False,
        server_header=False,
        # Said in full, or a variable of the environment would decide who is believed.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return Server(config, [*streams, shows.publication, shows.client_list], word=word)


def warn_of_clear_tokens(settings: Listening) -> None:
    """Say so, where tokens may go over a wire in clear."""
    if settings.tls_certificate_file is None and not _is_loopback(settings.listen_address):
        say(log, "no TLS: tokens go in clear, unless a proxy or a tunnel carries them", level=logging.WARNING,
            listen_address=settings.listen_address)  # fmt: skip


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
