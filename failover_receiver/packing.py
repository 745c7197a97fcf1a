"""A large document by gzip: a client list of ten thousand is 2 MB, and less than a third of it so."""

import asyncio
import gzip

from failover_receiver.publication import LARGE, Shown

LEVEL = 6
"""Once for each document; higher ones take longer and save nothing that counts."""


class Packing:
    """Packs a document when it is first asked for, once for all who ask, and not in the loop's own thread."""

    def __init__(self) -> None:
        """Nothing was asked for yet."""
        self._of: Shown | None = None
        self._packed: asyncio.Future[bytes] | None = None

    async def packed(self, shown: Shown) -> bytes:
        """The document's bytes by gzip."""
        if self._packed is None or self._of is not shown:
            self._of = shown
            work = asyncio.to_thread(gzip.compress, shown.document.body, LEVEL, mtime=0)
            self._packed = asyncio.ensure_future(work)
        return await asyncio.shield(self._packed)  # Who leaves must not take it from the others.


def wanted(shown: Shown, accepted: bytes) -> bool:
    """Whether it is worth it, and an Accept-Encoding takes it."""
    if len(shown.document.body) < LARGE:
        return False
    named = [one.replace(b" ", b"").lower().partition(b";") for one in accepted.split(b",")]
    return any(name == b"gzip" and quality not in (b"q=0", b"q=0.0") for name, _, quality in named)
