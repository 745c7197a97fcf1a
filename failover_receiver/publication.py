"""A document with all that is derived from it, and those who watch for the next one."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from failover_receiver.lines import Message, Part, part
from failover_receiver.store import Document
from failover_receiver.watchers import Watchers

JOSE = b"application/jose"

LARGE = 64 * 1024
"""Bytes. From here on a document is packed for those who take it so."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A document and the answers that carry it, made once for all who ask. Nobody changes them."""

    document: Document
    etag: str
    """Digest of the bytes as sent, in quotes."""
    tag: bytes
    """The same."""
    event: Part
    """The server-sent event."""
    found: Message
    """The head of the answer to who does not have it."""
    body: Message
    not_modified: Message
    """The head of the answer to who has it."""
    not_modified_lines: bytes
    """The same as HTTP/1.1 has it, but for what a server adds to each answer."""


class Publication:
    """Shows one document at a time. Belongs to one event loop."""

    def __init__(self) -> None:
        """Begin with nothing to show."""
        self.shown: Shown | None = None
        self.streams = Watchers()
        self._followers: list[Callable[[Document], None]] = []

    @property
    def watchers(self) -> int:
        """So many follow it."""
        return len(self.streams)

    def show(self, document: Document) -> None:
        """Replace the document, and send it to all who watch."""
        self.shown = shown(document)
        self.streams.send(self.shown.event)
        for follower in self._followers:
            follower(document)

    def follow(self, follower: Callable[[Document], None]) -> None:
        """Call it with the document, if there is one, and with each that comes; it must return at once and raise nothing."""
        self._followers.append(follower)
        if self.shown is not None:
            follower(self.shown.document)

    def close(self) -> None:
        """End all streams."""
        self.streams.close()


def shown(document: Document) -> Shown:
    """All that is derived from its bytes."""
    etag = f'"{hashlib.sha256(document.body).hexdigest()}"'
    name = document.type.removeprefix("wgfleet/").encode()
    number = b"%d.%d" % (document.epoch, document.generation)
    event = b"event: %s\nid: %s\ndata: %s\n\n" % (name, number, document.body)
    kept = [(b"etag", etag.encode()), (b"cache-control", b"no-cache")]
    if len(document.body) >= LARGE:
        kept.append((b"vary", b"accept-encoding"))
    of_body = [(b"content-type", JOSE), (b"content-length", b"%d" % len(document.body))]
    return Shown(
        document,
        etag,
        etag.encode(),
        event=part(event),
        found={"type": "http.response.start", "status": 200, "headers": [*kept, *of_body]},
        body={"type": "http.response.body", "body": document.body, "more_body": False},
        not_modified={"type": "http.response.start", "status": 304, "headers": kept},
        not_modified_lines=b"HTTP/1.1 304 Not Modified\r\n" + b"".join(b"%s: %s\r\n" % one for one in kept),
    )
