"""All who follow one document, and how a new one reaches ten thousand of them.

There is no task, future or timer for a watcher that keeps up: what is sent is made once, and the publisher itself writes it
to each, where there is room. One without room gets nothing, but a task of its own, which waits for room and then sends
what is newest by then. Belongs to one event loop.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

from failover_receiver.access import Holder
from failover_receiver.beats import HEARTBEAT
from failover_receiver.lines import Line, Part, part
from wgfleet.logs import say

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 10.0
"""A watcher that hears nothing for three of these takes the receiver for gone."""

BEATS = 50
"""Turns of a heartbeat, each for a fiftieth of the watchers: 200 of 10,000, so that nothing else waits for all of them."""

SLICE = 250
"""Watchers between two looks at whatever else is asked: a webhook waits for one slice, not for the crowd."""

FIRST_SLICE = 25
"""uvloop writes when it has a look: the first ones must not wait for a whole slice."""

PATIENCE_SECONDS = 60.0
"""For one that takes nothing, or so little that 2 MB, a large client list, take longer: less than 0.3 Mbit/s."""


@dataclass(slots=True, eq=False)
class Watcher:
    """One open stream, whose head was sent."""

    line: Line
    holder: Holder
    sent: Part | None = None
    """What it was sent last."""
    turn: int = -1
    """Of the heartbeat; negative: it does not watch, or not any more."""
    late: "asyncio.Task[None] | None" = None
    """Waits for room on its behalf."""


class Watchers:
    """Sends what is newest to each, once."""

    def __init__(self) -> None:
        """Nobody watches, and there is nothing to see."""
        self._newest: Part | None = None
        self._turns: list[set[Watcher]] = [set() for _ in range(BEATS)]
        self._count = 0
        self._joined = 0
        self._turn = 0
        self._timer: asyncio.TimerHandle | None = None
        self._sweep: list[Watcher] = []
        self._swept = 0
        self._knows: Callable[[Holder], bool] = lambda _: True
        self._closed = False
        self.beats: Callable[[], bytes] = lambda: HEARTBEAT
        """Makes a heartbeat."""

    def __len__(self) -> int:
        """So many watch."""
        return self._count

    def __iter__(self) -> Iterator[Watcher]:
        """All who watch."""
        return chain.from_iterable(self._turns)

    def join(self, watcher: Watcher) -> None:
        """It begins with what is newest, and gets all that comes: nothing happens between the two."""
        if self._closed:
            watcher.line.end()
            return
        watcher.turn = self._joined = (self._joined + 1) % BEATS
        self._turns[watcher.turn].add(watcher)
        self._count += 1
        if self._timer is None:
            self._wait()
        self._bring(watcher)

    def leave(self, watcher: Watcher) -> None:
        """It is sent nothing more. Also of one that has left already."""
        if watcher.turn < 0:
            return
        self._turns[watcher.turn].discard(watcher)
        watcher.turn = -1
        self._count -= 1
        if watcher.late is not None:
            watcher.late.cancel()
        if not self._count and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def send(self, newest: Part) -> None:
        """Begin to bring it to everybody; a sweep that is still under way goes on where it is, with this one."""
        self._newest = newest
        under_way, ahead = bool(self._sweep), self._sweep[self._swept :]
        # Those who still wait come first: documents that follow each other fast must not keep the last ones waiting.
        self._sweep = list(dict.fromkeys(chain(ahead, self))) if under_way else list(self)
        self._swept = 0
        if self._sweep and not under_way:
            asyncio.get_running_loop().call_soon(self._go_on)

    def end(self, watcher: Watcher) -> None:
        """End its stream, cleanly if it reads."""
        self.leave(watcher)
        watcher.line.end()

    def end_unknown(self, knows: Callable[[Holder], bool]) -> None:
        """End the streams of those whom this does not know any more; from now on, also of those who expire."""
        self._knows = knows
        for watcher in [one for one in self if not knows(one.holder)]:
            self.end(watcher)

    def close(self) -> None:
        """End all streams, and those that still come."""
        self._closed = True
        for watcher in list(self):
            self.end(watcher)

    def _go_on(self) -> None:
        till = self._swept + (SLICE if self._swept else FIRST_SLICE)
        for watcher in self._sweep[self._swept : till]:
            self._bring(watcher)
        self._swept = till
        if till < len(self._sweep):
            asyncio.get_running_loop().call_soon(self._go_on)
        else:
            self._sweep, self._swept = [], 0

    def _bring(self, watcher: Watcher) -> None:
        """What is newest, if it does not have it; one that is late gets it from its own task."""
        newest = self._newest
        if newest is None or watcher.sent is newest or watcher.late is not None or watcher.turn < 0:
            return
        if self._offered(watcher, newest):
            watcher.sent = newest
        else:
            watcher.late = asyncio.get_running_loop().create_task(self._wait_for(watcher))

    def _offered(self, watcher: Watcher, what: Part) -> bool:
        try:
            return watcher.line.offer(what)
        except Exception as error:  # noqa: BLE001 - Whatever it is, it is one's, and keeps the document from nobody else.
            say(log, "watcher dropped", level=logging.ERROR, name=watcher.holder.name, error=repr(error))
            self.leave(watcher)
            watcher.line.cut_off()
            return True

    async def _wait_for(self, watcher: Watcher) -> None:
        try:
            while watcher.sent is not self._newest:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await watcher.line.room()
                if self._newest is not None and watcher.line.offer(self._newest):
                    watcher.sent = self._newest
            watcher.late = None
        except TimeoutError:
            say(log, "watcher dropped: it takes nothing", name=watcher.holder.name, seconds=PATIENCE_SECONDS)
            watcher.late = None
            self.leave(watcher)
            watcher.line.cut_off()
        except (OSError, RuntimeError):
            watcher.late = None  # Its connection broke; see `offer`.

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(HEARTBEAT_SECONDS / BEATS, self._beat)

    def _beat(self) -> None:
        """One turn: whoever joins is beaten for within one period, and each period from then on."""
        self._turn = (self._turn + 1) % BEATS
        heartbeat = part(self.beats())
        for watcher in tuple(self._turns[self._turn]):
            if not self._knows(watcher.holder):
                self.end(watcher)
            else:
                self._offered(watcher, heartbeat)
        if self._count:
            self._wait()
        else:
            self._timer = None
