"""The signed document by HTTP PUT: into a bucket by a URL that was signed for it, or by WebDAV."""

import asyncio

from failover_receiver.publication import JOSE
from failover_receiver.publishing.http import Sender
from failover_receiver.publishing.places import Upload
from failover_receiver.publishing.publisher import Publisher, PublishingError
from failover_receiver.settings import ConfigurationError
from failover_receiver.store import Document
from wgfleet.files import read_secret
from wgfleet.peerset import PeerSet


class UploadPublisher(Publisher):
    """Puts it to one URL."""

    def __init__(self, place: Upload) -> None:
        """Read what there is to read. Raises ConfigurationError."""
        self.name = f"upload:{place.name}"
        self._place = place
        self._sender = Sender("uploads", place)
        try:
            self._headers()
        except ValueError as error:
            raise ConfigurationError(str(error)) from None

    async def publish(self, document: Document, peer_set: PeerSet) -> None:  # noqa: ARG002 - The interface's.
        """In the old one's place."""
        try:
            headers = await asyncio.to_thread(self._headers)
        except ValueError as error:
            raise PublishingError(str(error)) from None
        await self._sender.send("PUT", document.body, {"Content-Type": JOSE.decode(), **headers})

    async def close(self) -> None:
        """Let the connections go."""
        await self._sender.close()

    def _headers(self) -> dict[str, str]:
        """Those of the file. Raises ValueError, which quotes nothing of it."""
        file = self._place.headers_file
        if file is None:
            return {}
        key = f"uploads.{self._place.name}.headers_file"
        try:
            lines = read_secret(file, one_line=False).splitlines()
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
        said = [line.partition(":") for line in lines if line.strip()]
        if not all(
            name.isascii() and name and " " not in name and colon and value.isascii()
            for name, colon, value in said
        ):
            raise ValueError(
                f"{key}: {file} holds something else than headers, one a line: as `Authorization: …`"
            )
        return {name: value.strip() for name, _, value in said}
