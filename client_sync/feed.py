"""Follows the receiver: documents as they are pushed, for as long as it lives and again when it is back.

Where no stream can be held (polling.py), they are asked for. Whichever way one came, it is taken in alike. One that says that
it does not hear of the others is left for one that does (lookout.py).
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Sequence
from enum import StrEnum

import httpx

from client_sync.lookout import FoundError, Lookout
from client_sync.polling import MOST_BYTES, POLL_SECONDS, Patience, Polls, pause, refusal, whole
from wgfleet.logs import say
from wgfleet.outages import Outages
from wgfleet.pauses import Pauses
from wgfleet.sse import messages
from wgfleet.standing import EVENT, Standing, is_to_be_left

log = logging.getLogger(__name__)

FIRST_SECONDS = 15.0
"""One and a half of the receiver's heartbeats. Its document comes at once with the stream: silent for so long from the
beginning, something on the way keeps what it sends."""
READ_SECONDS = 30.0
"""Three of the receiver's heartbeats: silent for longer, it is gone."""
PAUSE_FIRST, PAUSE_MOST = 0.2, 30.0
"""Seconds, of a daemon that has lost whom it follows: the bounds of its first pause and of its last."""

NOT_THERE = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)
"""Asking would fail as the stream did."""
DENIED = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
"""So it would here, and the receiver counts failed attempts."""


def new_pauses() -> Pauses:
    """Of a daemon that has lost whom it follows, receiver or broker."""
    return Pauses(first=PAUSE_FIRST, most=PAUSE_MOST, draw=random.uniform)


class Way(StrEnum):
    """How documents are heard."""

    STREAM = "stream"
    POLL = "poll"
    BROKER = "broker"


class DeniedError(ValueError):
    """The receiver does not let us in, or there is no token to ask it with."""


class Feed:
    """The event stream of the first receiver that gives one, or else the document of the first that answers."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        receivers: Sequence[str],
        token: Callable[[], str],
        *,
        document: str = "peer-set",
        most_bytes: int = MOST_BYTES,
        poll_interval: float = POLL_SECONDS,
    ) -> None:
        """Take the receivers' base URLs; the token is read anew for each connection. Which document, and its size."""
        self._http = http
        self._receivers = receivers
        self._token = token
        self._document = document
        self._most_bytes = most_bytes
        self._interval = poll_interval
        self._polls = Polls(http, f"/v1/{document}", self.headers, most_bytes=most_bytes)
        self._lookout = Lookout(receivers, self._polls.look)
        self._heard = self._steady = False
        self._askable: list[str] = []
        """Receivers that gave no stream, but may answer."""
        self._outages = Outages()
        self.receiver: str | None = None
        """The one that is followed at present."""
        self.way: Way | None = None
        """How, if one is."""
        self.trouble: dict[str, str] = {}
        """Why each receiver that was tried since one was followed last is not, by URL."""
        self.changed: Callable[[], object] = object
        """Called when any of these three changes."""

    @property
    def acks_to(self) -> str | None:
        """The receiver that is told what is applied."""
        return self.receiver

    async def documents(self) -> AsyncIterator[bytes]:
        """Every document, as sent; never ends by itself."""
        pauses = new_pauses()
        patience = Patience()
        while True:
            self._heard = self._steady = False
            async for document in self._pushed():
                yield document
            seconds = patience.ask_for(heard=self._heard, steady=self._steady)
            if seconds is not None:
                async for document in self._asked(seconds):
                    yield document
            if self._steady or self.way is Way.POLL:
                pauses.begin_again()
            await asyncio.sleep(pauses.next())

    def headers(self) -> dict[str, str]:
        """What lets us in. Raises DeniedError if there is no token."""
        try:
            return {"Authorization": f"Bearer {self._token()}"}
        except ValueError as error:
            raise DeniedError(str(error)) from None

    async def _pushed(self) -> AsyncIterator[bytes]:
        """From each receiver's stream in turn, until none can be held."""
        self._askable = []
        waiting = list(self._receivers)
        while waiting:
            url = waiting.pop(0)
            try:
                async for document in self._stream(url):
                    yield document
                error = "it ended the stream"
                self._may_ask(url)
            except FoundError as found:
                error = str(found)
                self._may_ask(url)
                rest = (one for one in self._receivers if one not in {url, found.url})
                waiting = [found.url, *rest]
            except (*NOT_THERE, DeniedError) as failed:
                error = _said(failed)
            except TimeoutError:
                error = f"nothing was heard for {FIRST_SECONDS:g} s: does a proxy keep the stream to itself?"
                self._may_ask(url)
            except (httpx.HTTPError, ValueError) as failed:
                error = _said(failed)
                self._may_ask(url)
            self._lost(url, error)

    async def _asked(self, seconds: float) -> AsyncIterator[bytes]:
        """From the first receiver that hears of the others, or else the first that answers; again and again for so long.

        Ends when none does.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        while clock() < until:
            alone: str | None = None
            for url in self._askable:
                try:
                    document = await self._polls.ask(url)
                except (httpx.HTTPError, ValueError) as failed:
                    self._lost(url, _said(failed))
                    continue
                hears = not is_to_be_left(self._polls.standing(url))
                if hears:
                    self._follow(url, Way.POLL)
                if document is not None:
                    yield document
                if hears:
                    break
                alone = alone or url
            else:
                if alone is None:
                    return
                self._follow(alone, Way.POLL)
            await asyncio.sleep(pause(self._interval))

    async def _stream(self, url: str) -> AsyncIterator[bytes]:
        timeout = httpx.Timeout(10.0, read=READ_SECONDS)
        path = f"{url}/v1/{self._document}/events"
        async with (
            asyncio.timeout(FIRST_SECONDS) as first,
            self._http.stream("GET", path, headers=self.headers(), timeout=timeout) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                kind = DeniedError if answer.status_code in DENIED else ValueError
                raise kind(refusal(answer, await whole(answer)))
            try:
                async for name, said in messages(self._listened(url, answer, first), self._most_bytes):
                    if name == self._document.encode():
                        self._heard = True
                        yield said
                    elif name == EVENT:
                        await self._lookout.told(url, Standing.read(said))
            finally:
                await self._lookout.close()

    async def _listened(
        self, url: str, answer: httpx.Response, first: asyncio.Timeout
    ) -> AsyncIterator[bytes]:
        """What comes; the first of it shows that the stream is one, what follows a document that it holds."""
        chunks = answer.aiter_bytes()
        while (chunk := await self._lookout.beside(anext(chunks, None))) is not None:
            if first.when() is not None:
                first.reschedule(None)
                self._follow(url, Way.STREAM)
            self._steady = self._steady or self._heard
            yield chunk

    def _may_ask(self, url: str) -> None:
        if url not in self._askable:
            self._askable.append(url)

    def _follow(self, url: str, way: Way) -> None:
        if (self.receiver, self.way) != (url, way):
            self.receiver, self.way, self.trouble = url, way, {}
            away = self._outages.reached(url, asyncio.get_running_loop().time())
            say(log, "following", receiver=url, by=way, away_seconds=away)
            self.changed()

    def _lost(self, url: str, error: str) -> None:
        if self._outages.lost(url, error, asyncio.get_running_loop().time()):
            say(log, "receiver lost", level=logging.WARNING, receiver=url, error=error)
        else:
            say(log, "receiver still lost", level=logging.DEBUG, receiver=url, error=error)
        self.receiver = self.way = None
        self.trouble[url] = error
        self.changed()


def _said(failed: Exception) -> str:
    return str(failed) or type(failed).__name__
