"""When daemons come back to a receiver that cut them all off at one moment: by the daemon's own loop, in a time that only counts."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Generator

import httpx

from client_sync.feed import Feed
from tests.bench._placing import TENTHS

RECEIVER = "https://receiver.example.com"


class _Passed:
    """What is waited for has happened already."""

    def __await__(self) -> Generator[None, None, None]:
        yield from ()

    def cancel(self) -> None:
        """There is nothing to cancel."""


class Clock:
    """As much of an event loop as one daemon alone needs, where nothing but `asyncio.sleep` takes time, and that at once."""

    def __init__(self) -> None:
        """Begin at 0."""
        self.now = 0.0

    def time(self) -> float:
        """Seconds since the beginning."""
        return self.now

    def create_future(self) -> _Passed:
        """Where a sleep waits for its end."""
        return _Passed()

    def call_later(self, delay: float, *_: object) -> _Passed:
        """Let the time pass."""
        self.now += delay
        return _Passed()


class _Daemon(Feed):
    """The daemon's own, but for the network: cut off at 0, refused until the receiver is back, and then let in."""

    def __init__(self, http: httpx.AsyncClient, away: float) -> None:
        super().__init__(http, [RECEIVER], lambda: "")
        self._away = away
        self._was_cut_off = False

    async def _stream(self, url: str) -> AsyncIterator[bytes]:
        if not self._was_cut_off:
            self._was_cut_off = self._heard = self._steady = True
            return
        if asyncio.get_running_loop().time() < self._away:
            raise httpx.ConnectError(url)
        yield b""


def come_back(daemons: int, away: float) -> Counter[int]:
    """Daemons by the tenth of a second, after the receiver was back, in which they were let in.

    It was away for so many seconds, and lets in everybody from then on.
    """
    logging.disable()  # Each says that it lost the receiver.
    http = httpx.AsyncClient(trust_env=False)
    try:
        return Counter(int(TENTHS * (_back_at(_Daemon(http, away)) - away)) for _ in range(daemons))
    finally:
        logging.disable(logging.NOTSET)


def _back_at(daemon: Feed) -> float:
    clock = Clock()
    # Asyncio exports this for whoever makes a loop.
    asyncio._set_running_loop(clock)  # type: ignore[arg-type] # As much of one as is used.
    try:
        anext(daemon.documents()).__await__().__next__()
    except StopIteration:
        return clock.now
    finally:
        asyncio._set_running_loop(None)
    raise AssertionError("the daemon waits for something else than the time")
