"""Where each client is: the worker that it says carries its traffic. Told to workers, so that return routes can follow.

Only what a client says makes or changes its place: silence, a restart of ours or an ack that names no worker does not.
Each change has a number that is higher than all before, and the newest change of each client is kept, in their order.
What a stream has not sent yet is therefore "everything after this number", however slow it is, and for one that begins
it is everything: ten thousand clients are at most ten thousand entries. Belongs to one event loop.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from itertools import takewhile

from failover_receiver.access import DeniedError, Holder
from failover_receiver.beats import Beats
from wgfleet.standing import LIVE, Standing

GATHER_SECONDS = 0.05
"""After each event: in a failover thousands of clients move within a second, and what comes meanwhile goes together."""

HEARTBEAT_SECONDS = 10.0
"""A worker that hears nothing for three of these takes the receiver for gone."""

STREAMS_MOST = 4
"""Of one token: its daemon needs one, and a connection that broke may not be noticed yet."""

Place = tuple[str, int]
"""The worker, and the number of this change."""


class Places:
    """The places, and the streams that tell them."""

    def __init__(self, clock: Callable[[], float], standing: Callable[[], Standing] = lambda: LIVE) -> None:
        """Nobody is anywhere yet. Numbers begin with the milliseconds of now, so that a restart goes on above the last."""
        self._clock = clock
        self.standing = standing
        self._beats = Beats(standing)
        self._places: dict[str, Place] = {}
        self._number = int(1000 * clock())
        self._next = asyncio.Event()
        self._streams = Counter[str]()
        self._made: tuple[tuple[int | None, int], bytes] = ((None, -1), b"")
        self._closed = False

    def said(self, client: str, worker: str | None) -> None:
        """Take what a client says: the worker that it uses; None or nothing says nothing."""
        known = self._places.get(client)
        if not worker or (known is not None and known[0] == worker):
            return
        self._number = max(self._number + 1, int(1000 * self._clock()))
        self._places.pop(client, None)  # The newest stands last.
        self._places[client] = (worker, self._number)
        self.wake()

    def forget(self, client: str) -> None:
        """Of one whose token opens nothing any more. Nobody is told: workers hear it from the client list."""
        self._places.pop(client, None)

    def told(self, after: int | None = None) -> bytes:
        """What changed after that number; None: all. As it goes on the wire."""
        key = (after, self._number)
        if self._made[0] != key:  # Streams that keep up all send the same.
            newest = takewhile(lambda one: after is None or one[1][1] > after, reversed(self._places.items()))
            said = {"whole": after is None, "clients": dict(newest)}
            self._made = (key, json.dumps(said, separators=(",", ":")).encode())
        return self._made[1]

    async def follow(self, holder: Holder, knows: Callable[[Holder], bool]) -> AsyncIterator[bytes]:
        """Server-sent events: all places, then each change, and heartbeats; as long as the holder is known."""
        self._streams[holder.name] += 1
        try:
            sent: int | None = None
            while not self._closed and knows(holder):
                waiting = self._next
                if sent != self._number:
                    after, sent = sent, self._number
                    yield b"event: places\nid: %d\ndata: %s\n\n" % (sent, self.told(after))
                    await asyncio.sleep(GATHER_SECONDS)
                    continue
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        await waiting.wait()
                except TimeoutError:
                    yield self._beats()
        finally:
            self._streams[holder.name] -= 1

    def check_room(self, holder: Holder) -> None:
        """Raise DeniedError if as many streams of this token are open as may be."""
        if self._streams[holder.name] >= STREAMS_MOST:
            reason = f"{STREAMS_MOST} streams of token {holder.name!r} are open already: each worker needs a token of its own"
            raise DeniedError(429, reason, retry_after=10)

    def wake(self) -> None:
        """Let every stream look again: at what is new, and whether it may go on."""
        waiting, self._next = self._next, asyncio.Event()
        waiting.set()

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        self.wake()
