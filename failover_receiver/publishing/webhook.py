"""A notice of what changed, to another program: a chat, an incident system, one's own."""

import asyncio
import time
from collections.abc import Callable

from failover_receiver.publication import shown
from failover_receiver.publishing import notices
from failover_receiver.publishing.http import Sender
from failover_receiver.publishing.places import Webhook
from failover_receiver.publishing.publisher import Publisher, PublishingError
from failover_receiver.settings import ConfigurationError
from failover_receiver.store import Document
from wgfleet.files import read_secret
from wgfleet.peerset import PeerSet


class WebhookPublisher(Publisher):
    """Posts to one place. Of changes that came while it could not, it tells at once, in one notice."""

    def __init__(self, place: Webhook, *, clock: Callable[[], float] = time.time) -> None:
        """Read what there is to read. Raises ConfigurationError."""
        self.name = f"webhook:{place.name}"
        self._place = place
        self._clock = clock
        self._sender = Sender("webhooks", place)
        self._told: PeerSet | None = None
        try:
            self._secrets()
        except ValueError as error:
            raise ConfigurationError(str(error)) from None

    async def publish(self, document: Document, peer_set: PeerSet) -> None:
        """Post it, unless it says nothing else than what was posted last."""
        whole = document.body if self._place.document else None
        if whole is None and not notices.is_news(peer_set, self._told):
            return
        try:
            secrets = await asyncio.to_thread(self._secrets)
        except ValueError as error:
            raise PublishingError(str(error)) from None
        body = notices.notice(peer_set, self._told, shown(document).etag, whole)
        identity = notices.identity(peer_set)
        await self._sender.send("POST", body, notices.headers(body, identity, secrets, now=self._clock()))
        self._told = peer_set

    async def close(self) -> None:
        """Let the connections go."""
        await self._sender.close()

    def _secrets(self) -> list[bytes]:
        """Those of the file. Raises ValueError, which quotes none."""
        key, file = f"webhooks.{self._place.name}.secret_file", self._place.secret_file
        try:
            text = read_secret(file, what="secret", one_line=False)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
        try:
            return notices.secrets(text)
        except ValueError as error:
            raise ValueError(f"{key}: {file} {error}") from None
