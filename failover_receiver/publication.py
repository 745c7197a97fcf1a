"""The newest document, and those who wait for the next one."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from failover_receiver.store import Document

HEARTBEAT_SECONDS = 10.0
"""A watcher that hears nothing for three of these takes the receiver for gone."""
HEARTBEAT = b": heartbeat\n\n"


@dataclass(frozen=True, slots=True)
class Shown:
    """A document with all that is derived from its bytes, once for all watchers."""

    document: Document
    etag: str
    """Digest of the bytes as sent, in quotes."""
    message: bytes
    """The server-sent event that carries it."""


class Publication:
    """Shows one document at a time. Belongs to one event loop."""

    def __init__(self) -> None:
        """Begin with nothing to show."""
        self.shown: Shown | None = None
        self.watchers = 0
        self._next = asyncio.Event()
        self._closed = False

    def show(self, document: Document) -> None:
        """Replace the document and wake all who wait."""
        etag = f'"{hashlib.sha256(document.body).hexdigest()}"'
        name = document.type.removeprefix("wgfleet/").encode()
        number = b"%d.%d" % (document.epoch, document.generation)
        message = b"event: %s\nid: %s\ndata: %s\n\n" % (name, number, document.body)
        self.shown = Shown(document, etag, message)
        self._wake()

    def close(self) -> None:
        """End all watches."""
        self._closed = True
        self._wake()

    async def watch(self) -> AsyncIterator[bytes]:
        """The newest document at once and after every change, heartbeats between. One that is slow misses some."""
        self.watchers += 1
        try:
            sent: Shown | None = None
            while not self._closed:
                waiting = self._next
                if self.shown is not None and self.shown is not sent:
                    sent = self.shown
                    yield sent.message
                    continue
                try:
                    await asyncio.wait_for(waiting.wait(), HEARTBEAT_SECONDS)
                except TimeoutError:
                    yield HEARTBEAT
        finally:
            self.watchers -= 1

    def _wake(self) -> None:
        waiting, self._next = self._next, asyncio.Event()
        waiting.set()
