"""A publisher that a test sees through: it keeps what it is given, and fails, waits or loses when it is told to."""

import asyncio

from failover_receiver.publishing import Publisher
from failover_receiver.store import Document
from tests.failover_receiver.parts import FLEET, SIGNER
from wgfleet.peerset import TYPE, Monitoring, PeerSet


def said(generation: int) -> PeerSet:
    """A peer set without workers."""
    return PeerSet(FLEET, 1, generation, 1000.0, 4600.0, Monitoring.LIVE, ())


def document(generation: int) -> Document:
    """The same, signed."""
    return Document(TYPE, 1, generation, SIGNER.sign(said(generation).to_bytes()))


class Recording(Publisher):
    """Keeps the generations that it published."""

    def __init__(self, name: str = "recording") -> None:
        """It works at first."""
        self.name = name
        self.published: list[int] = []
        self.attempts: list[int] = []
        self.said: list[PeerSet] = []
        self.error: Exception | None = None
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.gone = asyncio.Event()
        self.closed = False
        self._heard = asyncio.Event()
        self._moved = asyncio.Condition()

    async def publish(self, document: Document, peer_set: PeerSet) -> None:
        """As it was told."""
        self.attempts.append(document.generation)
        await self._tell()
        await self.go_on.wait()
        if self.error is not None:
            raise self.error
        self.published.append(document.generation)
        self.said.append(peer_set)
        await self._tell()

    async def lost(self) -> None:
        """When the test says so, once each time."""
        await self.gone.wait()
        self.gone.clear()
        asyncio.get_running_loop().call_soon(
            self._heard.set
        )  # When the caller has done with it what it does.

    async def close(self) -> None:
        """Note it."""
        self.closed = True

    async def until_published(self, *generations: int) -> None:
        """Wait until it has published these, and no others."""
        async with self._moved, asyncio.timeout(20.0):
            await self._moved.wait_for(lambda: self.published == list(generations))

    async def until_tried(self, times: int) -> None:
        """Wait for so many attempts."""
        async with self._moved, asyncio.timeout(20.0):
            await self._moved.wait_for(lambda: len(self.attempts) >= times)

    async def until_heard(self) -> None:
        """Wait until it was heard that something was lost."""
        await asyncio.wait_for(self._heard.wait(), 20.0)

    async def _tell(self) -> None:
        async with self._moved:
            self._moved.notify_all()
