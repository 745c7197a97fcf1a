"""The signed document as a file: for a web server, a cache, rsync. Readers find the old one or the new one, whole."""

import asyncio

from failover_receiver.publishing.places import File
from failover_receiver.publishing.publisher import Publisher, PublishingError
from failover_receiver.store import Document
from wgfleet.files import write_whole
from wgfleet.peerset import PeerSet


class FilePublisher(Publisher):
    """Writes it to one path."""

    name = "file"

    def __init__(self, place: File) -> None:
        """Take where."""
        self._path = place.path
        self._mode = 0o644 if place.world_readable else 0o600
        self._writing: asyncio.Task[None] | None = None
        """What a disk that hangs has not done yet, though nobody waits for it any more."""

    async def publish(self, document: Document, peer_set: PeerSet) -> None:  # noqa: ARG002 - The interface's.
        """Put it in the old one's place."""
        if self._writing is not None:
            # One at a time: an older document must not come after a newer one, nor take a thread for each attempt.
            await asyncio.wait([self._writing])
        try:
            # In a thread: a disk that hangs holds up nobody else.
            self._writing = asyncio.create_task(
                asyncio.to_thread(write_whole, self._path, document.body, mode=self._mode)
            )
            await asyncio.shield(self._writing)
        except OSError as error:
            raise PublishingError(
                f"file.path: {self._path} cannot be written: {error.strerror}; is its folder there, and this user's?"
            ) from None

    async def close(self) -> None:
        """There is nothing to let go of."""
