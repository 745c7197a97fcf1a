"""Follows the first receiver that lets us: hears what it says, and looks for another when it is lost."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NoReturn

import httpx

from failover_receiver.following.edge import TOKENS, Edge
from wgfleet.logs import say
from wgfleet.outages import Outages
from wgfleet.pauses import Pauses
from wgfleet.sse import messages
from wgfleet.standing import is_to_be_left
from wgfleet.wording import excerpt

log = logging.getLogger(__name__)

PATH = "/v1/follow/events"
MOST_BYTES = 64 * 1024 * 1024
"""Of one event. A client list of a quarter of a million is smaller."""
CONNECT_SECONDS = 3.0
FIRST_SECONDS = 15.0
"""One and a half heartbeats: its standing comes at once with the stream."""
READ_SECONDS = 30.0
"""Three heartbeats: silent for longer, it is gone."""
PAUSE_FIRST, PAUSE_MOST = 0.2, 10.0
"""Seconds: the bounds of the first pause and of the last. A crowd waits behind each follower, so the last is shorter than a client's."""
ANSWER_CHARACTERS = 500
"""Of a refusal, in a line of log."""


class Upstream:
    """The receivers, or other followers, that can be followed."""

    def __init__(
        self,
        edge: Edge,
        http: httpx.AsyncClient,
        receivers: Sequence[str],
        token: Callable[[], str],
        *,
        inner: bool = False,
    ) -> None:
        """Take their base URLs, best first; the token is read anew for each connection.

        A process beside the one that decides loses that one only when both end, which is nothing to warn of.
        """
        self._edge = edge
        self._http = http
        self._receivers = receivers
        self._token = token
        self._level = logging.INFO if inner else logging.WARNING
        self._outages = Outages()
        self._steady = False

    @property
    def headers(self) -> dict[str, str]:
        """What lets us in. Raises ValueError if there is no token."""
        return {"Authorization": f"Bearer {self._token()}"}

    async def run(self) -> NoReturn:
        """Follow, for ever."""
        pauses = Pauses(first=PAUSE_FIRST, most=PAUSE_MOST, draw=random.uniform)
        while True:
            for receiver in self._receivers:
                self._steady = False
                error = await self._follow(receiver)
                self._edge.lost()
                self._say_lost(receiver, error)
                if self._steady:
                    pauses.begin_again()
            await asyncio.sleep(pauses.next())

    def _say_lost(self, receiver: str, error: str) -> None:
        if self._outages.lost(receiver, error, asyncio.get_running_loop().time()):
            say(log, "receiver lost", level=self._level, receiver=receiver, error=error)
        else:
            say(log, "receiver still lost", level=logging.DEBUG, receiver=receiver, error=error)

    async def _follow(self, receiver: str) -> str:
        """Until it is lost; why it was."""
        try:
            await self._hear(receiver)
        except TimeoutError:
            return f"nothing was heard for {FIRST_SECONDS:g} s: does a proxy keep the stream to itself?"
        except (httpx.HTTPError, ValueError) as error:
            return str(error) or type(error).__name__
        except Exception as error:  # noqa: BLE001 - whatever it sends must not end this: there may be another.
            return repr(error)
        return "it ended the stream"

    async def _hear(self, receiver: str) -> None:
        timeout = httpx.Timeout(10.0, connect=CONNECT_SECONDS, read=READ_SECONDS)
        async with (
            asyncio.timeout(FIRST_SECONDS) as first,
            self._http.stream("GET", f"{receiver}{PATH}", headers=self.headers, timeout=timeout) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                shown = answer.request.headers.get("Authorization", "")
                said = excerpt(await answer.aread(), ANSWER_CHARACTERS, shown)
                raise ValueError(f"it answered {answer.status_code}: {said}")
            hearing = self._edge.connected(receiver)
            away = self._outages.reached(receiver, asyncio.get_running_loop().time())
            say(log, "following", receiver=receiver, away_seconds=away)
            async for name, body in messages(self._chunks(answer, first), MOST_BYTES):
                if name == TOKENS:
                    # Its documents were taken, which have numbers; its tokens may be older than ours, and have none.
                    self._leave_one_that_is_alone()
                hearing.take(name, body)
                if hearing.whole:
                    self._leave_one_that_is_alone()

    async def _chunks(self, answer: httpx.Response, first: asyncio.Timeout) -> AsyncIterator[bytes]:
        async for chunk in answer.aiter_bytes():
            self._steady = first.when() is None
            first.reschedule(None)
            yield chunk

    def _leave_one_that_is_alone(self) -> None:
        """If there is another that may not be."""
        others = len(self._receivers) > 1 and self._edge.ready.is_set()
        if others and is_to_be_left(self._edge.link.said):
            raise ValueError("it does not hear of the receiver itself")
