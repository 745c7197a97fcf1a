"""What a publisher is. The runner calls it with the newest document, one at a time, and again after a failure."""

import asyncio
from typing import Protocol

from failover_receiver.store import Document
from wgfleet.peerset import PeerSet


class PublishingError(Exception):
    """A document did not get there; the text says why and what would help, and holds no secret."""


class Publisher(Protocol):
    """Brings documents to one place. A class that is one names this as its base, for what is said here by default."""

    name: str
    """In logs and in the metrics' label: `mqtt`, `webhook:chat`. No two have the same, and none holds a URL."""

    async def publish(self, document: Document, peer_set: PeerSet) -> None:
        """Bring it there, so that who looks finds it; `peer_set` is what the document's payload says.

        It may be the one that was published last. It is cancelled when it takes too long, and when the receiver stops.

        Raises:
            PublishingError: it did not get there; it, or a newer one, is tried again later.

        """
        ...

    async def lost(self) -> None:
        """Return once what was published may be gone from there, so that it must be published again. Raises nothing."""
        await asyncio.Event().wait()  # Most never know.

    async def close(self) -> None:
        """Let go of everything; nothing is published any more."""
        ...
