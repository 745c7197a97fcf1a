"""Whom the daemon follows: receivers, or a broker with receivers beside it.

With both, the broker is followed; the receivers' stream for as long as it cannot be. And the receivers are asked now and then
whether they have another document: a broker that the receiver does not reach any more goes on giving the old one.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol

import httpx

from client_sync.feed import Feed, Way
from client_sync.polling import Polls
from wgfleet.logs import say
from wgfleet.standing import is_to_be_left

log = logging.getLogger(__name__)

GRACE_SECONDS = 3.0
"""A broker that is being restarted has up to so long, by chance, before the receivers are followed: not by all at once."""
CHECK_SECONDS = 60.0
"""Between two questions to a receiver, on average; as often as it is told what is applied."""


class Followed(Protocol):
    """What gives documents, and who is told what became of them."""

    changed: Callable[[], object]
    """Called when whom, or how, or the trouble changes."""

    @property
    def receiver(self) -> str | None:
        """The URL that is followed at present."""

    @property
    def way(self) -> Way | None:
        """How, if one is."""

    @property
    def trouble(self) -> Mapping[str, str]:
        """Why receivers are not followed, by URL."""

    @property
    def acks_to(self) -> str | None:
        """The receiver that is told what is applied; None: there is none, or none can be reached."""

    def documents(self) -> AsyncIterator[bytes]:
        """Every document, as sent; never ends by itself."""

    def headers(self) -> dict[str, str]:
        """What a receiver lets us in by. Raises DeniedError if there is no token."""


class Broker(Protocol):
    """A broker's topic (subscribing.py)."""

    url: str
    followed: asyncio.Event
    lost: asyncio.Event

    def documents(self) -> AsyncIterator[bytes]:
        """Every document, as sent; never ends by itself."""


class BrokerFirst:
    """A broker, and receivers beside it, perhaps none."""

    def __init__(self, broker: Broker, feed: Feed, http: httpx.AsyncClient, receivers: Sequence[str]) -> None:
        """Take the broker, and how receivers are followed."""
        self._broker = broker
        self._feed = feed
        self._receivers = receivers
        self._polls = Polls(http, "/v1/peer-set", feed.headers)
        self._newest = b""
        self._answered: str | None = None
        """The receiver that answered last."""
        self._come: asyncio.Queue[bytes | asyncio.Task[None]] = asyncio.Queue()
        self.changed: Callable[[], object] = object
        """Called when whom, or how, or the trouble changes."""
        feed.changed = self._feed_changed

    @property
    def receiver(self) -> str | None:
        """The URL that is followed at present."""
        return self._broker.url if self._broker.followed.is_set() else self._feed.receiver

    @property
    def way(self) -> Way | None:
        """How, if one is."""
        return Way.BROKER if self._broker.followed.is_set() else self._feed.way

    @property
    def trouble(self) -> Mapping[str, str]:
        """Why receivers are not followed; where the broker is, none needs to be."""
        return {} if self._broker.followed.is_set() else self._feed.trouble

    @property
    def acks_to(self) -> str | None:
        """The receiver that is followed, or else the one that answered last."""
        return self._feed.receiver or self._answered or next(iter(self._receivers), None)

    def headers(self) -> dict[str, str]:
        """What a receiver lets us in by."""
        return self._feed.headers()

    async def documents(self) -> AsyncIterator[bytes]:
        """Every document, whoever gave it."""
        works = [self._follow_broker()]
        if self._receivers:
            works += [self._stand_in(), self._check()]
        tasks = [asyncio.create_task(work) for work in works]
        for task in tasks:
            task.add_done_callback(self._come.put_nowait)
        try:
            while True:
                come = await self._come.get()
                if isinstance(come, asyncio.Task):
                    come.result()  # It died of a bug: the daemon ends by it.
                else:
                    yield come
        finally:
            await _end(*tasks)

    def _feed_changed(self) -> None:
        self.changed()

    async def _follow_broker(self) -> None:
        async for document in self._broker.documents():
            self._newest = document
            self._come.put_nowait(document)
            self.changed()

    async def _stand_in(self) -> None:
        """Follow the receivers while the broker is lost."""
        while True:
            await self._broker.lost.wait()
            self.changed()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(random.uniform(0.1, 1.0) * GRACE_SECONDS):  # noqa: S311 - jitter is no secret.
                    await self._broker.followed.wait()
            if self._broker.followed.is_set():
                continue
            following = asyncio.create_task(self._follow_receivers())
            back = asyncio.create_task(self._broker.followed.wait())
            try:
                await asyncio.wait([following, back], return_when=asyncio.FIRST_COMPLETED)
                if following.done():
                    following.result()
            finally:
                await _end(following, back)
                self._feed.receiver = self._feed.way = None

    async def _follow_receivers(self) -> None:
        async for document in self._feed.documents():
            self._newest = document
            self._come.put_nowait(document)

    async def _check(self) -> None:
        """Ask, while the broker is followed, whether a receiver has another document."""
        while True:
            await asyncio.sleep(random.uniform(0.5, 1.5) * CHECK_SECONDS)  # noqa: S311 - jitter is no secret.
            if self._broker.followed.is_set():
                await self._ask()

    async def _ask(self) -> None:
        for url in self._receivers:
            self._polls.has(url, self._newest)
            try:
                document = await self._polls.ask(url)
            except (httpx.HTTPError, ValueError) as error:
                say(
                    log,
                    "receiver not asked",
                    level=logging.WARNING,
                    receiver=url,
                    error=str(error) or type(error).__name__,
                )
                continue
            if is_to_be_left(self._polls.standing(url)):
                continue  # What it has may be older than the broker's.
            self._answered = url
            if document is not None:
                self._newest = document
                say(
                    log,
                    "the broker has another document than the receiver",
                    level=logging.WARNING,
                    broker=self._broker.url,
                    receiver=url,
                )
                self._come.put_nowait(document)
            return


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
