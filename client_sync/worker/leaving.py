"""A worker that stops asks to be drained, and ends once its clients have left; back again, it lifts that drain.

The receiver decides (`/v1/self/drain`). Here stands how long it is waited for, and what is said meanwhile.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from client_sync.polling import refusal
from wgfleet.logs import say
from wgfleet.wording import counted

log = logging.getLogger(__name__)

AWAY_SECONDS = 5.0
"""A receiver that does not answer for so long is away: a machine that goes down does not wait for it."""
POLL_SECONDS = 0.5
RETRY_SECONDS = 2.0
"""Between attempts to lift the drain: until then no client comes here."""
DRAIN, CLIENTS = "/v1/self/drain", "/v1/self/clients"


class RefusedError(ValueError):
    """A receiver answered that it does not do it, and will not if it is asked again."""


class AwayError(ValueError):
    """No receiver answers, or none can do it at present."""


class Stop:
    """What whoever runs the daemon asks for: to leave, or to end now."""

    def __init__(self, *, drains: bool) -> None:
        """Say whether the worker drains itself before it ends."""
        self.leave = asyncio.Event()
        self.now = asyncio.Event()
        self._drains = drains

    def terminate(self) -> None:
        """SIGTERM: leave, if there is anything to do for it; the second time, end."""
        (self.leave if self._drains and not self.leave.is_set() else self.now).set()


class OwnDrain:
    """Asks receivers for it, in the worker's own name: its token says which worker it is."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        fleet: str,
        receivers: Callable[[], Sequence[str]],
        headers: Callable[[], Mapping[str, str]],
    ) -> None:
        """Take receivers' base URLs, in the order in which they are asked, and what lets us in; another fleet's refuse."""
        self._http = http
        self._fleet = {"fleet": fleet}
        self._receivers = receivers
        self._headers = headers

    async def lift(self) -> None:
        """Lift a drain that was our own, as soon as a receiver answers. An operator's stays."""
        while True:
            try:
                await self._answer("DELETE", DRAIN, self._fleet)
            except AwayError:  # The feed says so.
                await asyncio.sleep(RETRY_SECONDS)
            except RefusedError as error:
                say(log, "no own drain lifted", reason=error)
                return
            else:
                return

    async def leave(self, timeout: float, tell: Callable[[str], None]) -> None:  # noqa: ASYNC109 - it says what remains then.
        """Ask to be drained, and return when no client is left, or after so many seconds; never raises for it.

        `tell` takes a line for people, at each change.
        """
        clock = asyncio.get_running_loop().time
        began, remains = clock(), ""
        try:
            drained = await self._answer("PUT", DRAIN, self._fleet)
            say(log, "draining", at_most=timeout, epoch=drained["epoch"], generation=drained["generation"])
            async with asyncio.timeout_at(began + timeout):
                while now_remains := await self._remains(drained):
                    if now_remains != remains:
                        remains = now_remains
                        say(log, "waiting for clients to leave", remains=remains)
                        tell(f"stops once it is empty: {remains}")
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            say(log, "not empty in time", level=logging.WARNING, remains=remains, timeout=timeout)
        except (RefusedError, AwayError, KeyError) as error:
            say(log, "drain given up", level=logging.WARNING, reason=error)
        else:
            say(log, "empty", seconds=round(clock() - began, 1))

    async def _remains(self, drained: Mapping[str, Any]) -> str:
        number = {"epoch": drained["epoch"], "generation": drained["generation"]}
        left = await self._answer("GET", CLIENTS, number)
        parts = (
            (left["using"], "client", ""),
            (left["connections"], "connection", ""),
            (left["uncounted"], "client", " without a count of connections"),
            (left["behind"], "client", " still to hear of it"),
        )
        said = [f"{counted(count, what)}{more}" for count, what, more in parts if count]
        if not said and left["sure_in"] > 0:
            return "clients that the receiver, started a short while ago, may not have heard yet"
        return ", ".join(said)

    async def _answer(self, method: str, path: str, said: Mapping[str, str | int]) -> dict[str, Any]:
        """What the first receiver says that can. Raises RefusedError, AwayError."""
        error = "no answer in time"
        try:
            async with asyncio.timeout(AWAY_SECONDS):
                while True:
                    for url in (urls := self._receivers()):
                        try:
                            async with asyncio.timeout(AWAY_SECONDS / len(urls)):
                                return await self._ask(method, f"{url}{path}", said)
                        except (httpx.HTTPError, AwayError, TimeoutError) as failed:
                            error = f"{url}: {str(failed) or 'no answer in time'}"
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise AwayError(error) from None

    async def _ask(self, method: str, url: str, said: Mapping[str, str | int]) -> dict[str, Any]:
        try:
            headers = dict(self._headers())
        except ValueError as error:
            raise RefusedError(str(error)) from None
        answer = await self._http.request(
            method, url, params=dict(said), headers=headers, timeout=AWAY_SECONDS
        )
        if answer.is_server_error or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise AwayError(refusal(answer, answer.content))
        if not answer.is_success:
            raise RefusedError(refusal(answer, answer.content))
        try:
            answered = answer.json()
        except ValueError:
            answered = None
        if not isinstance(answered, dict):
            raise AwayError("it answers something that is not a receiver's")
        return answered
