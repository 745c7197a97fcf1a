"""Looks for a receiver that hears of the others, while the one that is followed says that it does not.

The stream is kept meanwhile. So if PostgreSQL is away for all receivers, or a follower's receiver is, nobody goes anywhere: what
there is, everybody has. Whoever is followed is asked too, as the last: behind its name may stand others.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from itertools import cycle
from typing import Any, TypeVar

import httpx

from wgfleet.logs import say
from wgfleet.pauses import Pauses
from wgfleet.standing import Standing, is_to_be_left

log = logging.getLogger(__name__)
T = TypeVar("T")

PAUSE_FIRST, PAUSE_MOST = 10.0, 60.0
"""Seconds between looks, each at one receiver: the bounds of the first pause and of the last. Ten thousand hear within a
heartbeat that PostgreSQL is away, and each look is a connection."""
FOLLOWER_PAUSE_FIRST, FOLLOWER_PAUSE_MOST = 60.0, 300.0
"""Likewise, if it is a follower that says so: behind it stand ten times as many, and that its receiver restarts moves nobody."""
GRACE_SECONDS = 3.0
"""After another was found. A receiver tries for its PostgreSQL every second: if that was away for all, this one is back, too."""
FOLLOWER_GRACE_SECONDS = 15.0
"""Likewise. A follower tries for its receiver every ten seconds at least; what is found may be that receiver itself, which has
no room for the crowd."""


class FoundError(ValueError):
    """Another is to be followed."""

    def __init__(self, url: str) -> None:
        """By this URL."""
        super().__init__("it is cut off from the other receivers, or from its own, and another is not")
        self.url = url


def others_first(receivers: Sequence[str], followed: str) -> list[str]:
    """The order in which they are asked."""
    return sorted(receivers, key=lambda url: url == followed)


def pauses(said: Standing) -> Pauses:
    """Between looks, of who follows one that said this."""
    first, most = (FOLLOWER_PAUSE_FIRST, FOLLOWER_PAUSE_MOST) if said.hops else (PAUSE_FIRST, PAUSE_MOST)
    return Pauses(first=first, most=most, draw=random.uniform)


def grace(said: Standing) -> float:
    """Seconds in which whoever said this may yet be back, once another was found."""
    return FOLLOWER_GRACE_SECONDS if said.hops else GRACE_SECONDS


class Lookout:
    """Of one feed."""

    def __init__(self, receivers: Sequence[str], ask: Callable[[str], Awaitable[Standing]]) -> None:
        """Ask by this: it raises httpx.HTTPError or ValueError where there is no answer."""
        self._receivers = receivers
        self._ask = ask
        self._pauses: Pauses | None = None
        """None: the next that is cut off is the first."""
        self._found_at = 0.0
        self._looking: asyncio.Task[str] | None = None

    async def told(self, followed: str, said: Standing) -> None:
        """Begin to look, or end it: the one that is followed says how it stands."""
        if not is_to_be_left(said):
            await self.close()
            self._pauses = None
        elif self._looking is None:
            say(log, "the receiver is cut off", level=logging.WARNING, receiver=followed, hops=said.hops)
            held = asyncio.get_running_loop().time() - self._found_at > FOLLOWER_PAUSE_MOST
            if self._pauses is None or held:
                self._pauses = pauses(said)
            self._looking = asyncio.create_task(self._look(followed, said, self._pauses))

    async def beside(self, reading: Awaitable[T]) -> T:
        """What is read. Raises FoundError if another is found before there is anything."""
        if self._looking is None:
            return await reading
        read = asyncio.ensure_future(reading)
        try:
            await asyncio.wait([read, self._looking], return_when=asyncio.FIRST_COMPLETED)
            if not read.done():
                raise FoundError(self._looking.result())
            return read.result()
        finally:
            await _end(read)

    async def close(self) -> None:
        """Look no more."""
        if self._looking is not None:
            looking, self._looking = self._looking, None
            await _end(looking)

    async def _look(self, followed: str, said: Standing, between: Pauses) -> str:
        """Until one is found that hears of the others."""
        for url in cycle(others_first(self._receivers, followed)):
            await asyncio.sleep(between.next())
            if await self._hears(url):
                break
        await asyncio.sleep(grace(said))
        self._found_at = asyncio.get_running_loop().time()
        return url

    async def _hears(self, url: str) -> bool:
        try:
            return not is_to_be_left(await self._ask(url))
        except (httpx.HTTPError, ValueError):
            return False


async def _end(task: "asyncio.Future[Any]") -> None:
    if not task.done():
        task.cancel()
        await asyncio.wait([task])
