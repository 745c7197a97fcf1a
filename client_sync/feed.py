"""Follows the receiver: documents as they are pushed, for as long as it lives and again when it is back."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Sequence

import httpx

from wgfleet.logs import say

log = logging.getLogger(__name__)

READ_SECONDS = 30.0
"""Three of the receiver's heartbeats: silent for longer, it is gone."""
BACKOFF_FIRST, BACKOFF_MOST = 0.2, 30.0
"""Seconds. Waits are drawn from zero up to the present one, so that a fleet does not come back in step."""
MOST_BYTES = 4 * 1024 * 1024
"""A document larger than this is no peer set."""


class Feed:
    """The event stream of the first receiver that answers."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        receivers: Sequence[str],
        token: Callable[[], str],
        *,
        document: str = "peer-set",
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """Take the receivers' base URLs; the token is read anew for each connection. Which document, and its size."""
        self._http = http
        self._receivers = receivers
        self._token = token
        self._document = document
        self._most_bytes = most_bytes
        self.receiver: str | None = None
        """The one that is followed at present."""

    async def documents(self) -> AsyncIterator[bytes]:
        """Every document, as sent; never ends by itself."""
        wait = BACKOFF_FIRST
        while True:
            for url in self._receivers:
                try:
                    async for document in self._stream(url):
                        wait = BACKOFF_FIRST
                        yield document
                    error = "it ended the stream"
                except (httpx.HTTPError, ValueError) as failed:
                    error = str(failed) or type(failed).__name__
                say(log, "receiver lost", level=logging.WARNING, receiver=url, error=error)
                self.receiver = None
            await asyncio.sleep(random.uniform(0, wait))  # noqa: S311 - jitter is no secret.
            wait = min(2 * wait, BACKOFF_MOST)

    def headers(self) -> dict[str, str]:
        """What lets us in."""
        return {"Authorization": f"Bearer {self._token()}"}

    async def _stream(self, url: str) -> AsyncIterator[bytes]:
        timeout = httpx.Timeout(10.0, read=READ_SECONDS)
        path = f"{url}/v1/{self._document}/events"
        async with self._http.stream("GET", path, headers=self.headers(), timeout=timeout) as answer:
            if answer.status_code != httpx.codes.OK:
                raise ValueError(await _refusal(answer))
            self.receiver = url
            say(log, "following", receiver=url)
            async for name, document in _messages(answer.aiter_bytes(), self._most_bytes):
                if name == self._document.encode():
                    yield document


async def _refusal(answer: httpx.Response) -> str:
    body = await answer.aread()
    return f"it answered {answer.status_code}: {body[:500].decode(errors='replace')}"


async def _messages(
    chunks: AsyncIterator[bytes], most_bytes: int = MOST_BYTES
) -> AsyncIterator[tuple[bytes, bytes]]:
    """Server-sent events (HTML standard, section 9.2), as much of them as the receiver uses: name and data."""
    buffer = bytearray()
    async for chunk in chunks:
        looked_at = max(
            0, len(buffer) - 1
        )  # A large document comes in many pieces: each byte is looked at once.
        buffer += chunk
        while (end := buffer.find(b"\n\n", looked_at)) >= 0:
            block, looked_at = bytes(buffer[:end]), 0
            del buffer[: end + 2]
            fields = dict(
                line.split(b": ", 1) for line in block.split(b"\n") if b": " in line and line[:1] != b":"
            )
            if b"data" in fields:
                yield fields.get(b"event", b"message"), fields[b"data"]
        if len(buffer) > most_bytes:
            raise ValueError(f"it sent more than {most_bytes} bytes without an end")
