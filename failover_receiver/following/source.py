"""What followers hear, of a receiver as of a follower: who is let in, every document at once, and how it stands itself.

There are few of them, so each has a task; and each is told before the crowd is, because behind it stands another.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from failover_receiver.access import Gate
from failover_receiver.beats import HEARTBEAT
from failover_receiver.following.roster import told
from failover_receiver.holders import Holder, Holders
from failover_receiver.publication import Publication, Shown
from wgfleet.standing import LIVE, Standing

HEARTBEAT_SECONDS = 10.0
"""A follower that hears nothing for three of these looks for another."""


class Source:
    """The streams of all followers."""

    def __init__(
        self,
        gate: Gate,
        publications: Sequence[Publication],
        standing: Callable[[], Standing] = lambda: LIVE,
    ) -> None:
        """Tell of these; of a receiver's own standing there is nothing to tell."""
        self._gate = gate
        self._publications = publications
        self._standing = standing
        self._next = asyncio.Event()
        self._closed = False
        self._following: Counter[str] = Counter()
        """Streams, by the digests of their tokens."""
        gate.follow(self.wake)
        for publication in publications:
            publication.follow(self.wake)

    @property
    def followers(self) -> int:
        """So many follow."""
        return self._following.total()

    def is_followed_by(self, holder: Holder) -> bool:
        """Whether this one has a stream open."""
        return self._following[holder.digest] > 0

    def wake(self) -> None:
        """Let every stream look again: at what is new, and whether it may go on."""
        waiting, self._next = self._next, asyncio.Event()
        waiting.set()

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        self.wake()

    async def follow(self, holder: Holder) -> AsyncIterator[bytes]:
        """Server-sent events: everything, then what changes, and heartbeats; as long as the holder is known."""
        sent = _Sent()
        self._following[holder.digest] += 1
        try:
            while not self._closed and self._gate.knows(holder):
                waiting = self._next
                for piece in self._news(sent):
                    yield piece
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        await waiting.wait()
                except TimeoutError:
                    yield HEARTBEAT
        finally:
            self._following[holder.digest] -= 1

    def _news(self, sent: "_Sent") -> Iterator[bytes]:
        standing = self._standing()
        if sent.standing != standing:
            sent.standing = standing
            yield standing.event()
        for number, publication in enumerate(self._publications):
            shown = publication.shown
            if shown is not None and sent.shown.get(number) is not shown:
                sent.shown[number] = shown
                yield shown.event.message["body"]
        before, sent.holders = sent.holders, self._gate.holders
        if before is not sent.holders:
            yield from (_event(b"tokens", piece) for piece in told(before, sent.holders))


class _Sent:
    """What one follower was sent last."""

    def __init__(self) -> None:
        self.standing: Standing | None = None
        self.shown: dict[int, Shown] = {}
        self.holders: Holders | None = None


def _event(name: bytes, data: bytes) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name, data)
