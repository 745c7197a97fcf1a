"""Drives the publishers: a task for each waits for a newer document, publishes the newest, and tries again what failed.

No publisher waits for another, and nothing else waits for any: those who follow the receiver itself have a document before
the first publisher is called with it. Of the documents that came while one could not publish, it gets the last.
"""

import asyncio
import base64
import contextlib
import json
import logging
import random
import time
from collections.abc import Callable, Sequence

from failover_receiver.metrics import Metrics
from failover_receiver.publication import Publication
from failover_receiver.publishing.publisher import Publisher, PublishingError
from failover_receiver.store import Document
from wgfleet.cancelling import heed_cancellation
from wgfleet.logs import say
from wgfleet.pauses import Pauses
from wgfleet.peerset import PeerSet

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 15.0
"""For one attempt; who takes longer has failed. Publishers' own limits are narrower: this is for what they have not thought of."""

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 10.0
"""The bounds of the first pause after a failure and of the last. A broker that is back is not left without the newest document
for longer."""

DOUBT_SECONDS = 0.2
"""Between looks whether what is shown here can be relied on again."""


class Publishing:
    """All publishers, each driven by a task of its own. Belongs to one event loop."""

    def __init__(
        self,
        publishers: Sequence[Publisher],
        publication: Publication,
        metrics: Metrics,
        doubt: Callable[[], str | None] = lambda: None,
    ) -> None:
        """Follow the publication; nothing is published before `run`, nor while there is a doubt that it is the newest.

        Others may publish a newer one to the same place, which an older one must not replace.
        """
        self._drives = [_Drive(publisher, metrics, doubt) for publisher in publishers]
        if self._drives:
            publication.tell(self._show)

    async def run(self) -> None:
        """Publish until cancelled, and let go of everything then."""
        try:
            await asyncio.gather(*(drive.run() for drive in self._drives))
        finally:
            await asyncio.gather(*(drive.close() for drive in self._drives))

    def _show(self, document: Document) -> None:
        newest = _Newest(document)
        for drive in self._drives:
            drive.take(newest)


class _Newest:
    """A document, and what it says, read once for all who want it and not before somebody does."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.at = time.monotonic()
        self._read: PeerSet | None = None

    @property
    def peer_set(self) -> PeerSet:
        if self._read is None:
            self._read = _read(self.document.body)
        return self._read


class _Drive:
    """One publisher's newest document, and how far it has got."""

    def __init__(self, publisher: Publisher, metrics: Metrics, doubt: Callable[[], str | None]) -> None:
        self._publisher = publisher
        self._doubt = doubt
        self._newest: _Newest | None = None
        self._done: _Newest | None = None
        self._behind_since: float | None = None
        self._newer = asyncio.Event()
        self._failed = 0
        """Times in a row."""
        self._pauses = Pauses(first=FIRST_WAIT_SECONDS, most=LONGEST_WAIT_SECONDS, draw=random.uniform)
        name = publisher.name
        self._up = metrics.publisher_up.labels(name)
        self._failures = metrics.publisher_failures.labels(name)
        self._generation = metrics.publisher_generation.labels(name)
        metrics.publisher_behind.labels(name).set_function(self._behind)

    def take(self, newest: _Newest) -> None:
        """Publish this one next, and none before it."""
        self._newest = newest
        self._await_from(newest.at)
        self._newer.set()

    async def run(self) -> None:
        """Publish forever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hear_losses())
            while True:
                await self._newer.wait()
                await self._until_sure()
                self._newer.clear()
                newest = self._newest
                if newest is not None and newest is not self._done:
                    await self._attempt(newest)
                heed_cancellation()

    async def close(self) -> None:
        """Close the publisher; what it raises is said and ends here."""
        try:
            await self._publisher.close()
        except Exception as error:  # noqa: BLE001 - Whatever it is, it is this one's alone.
            say(log, "publisher not closed", level=logging.WARNING, publisher=self._publisher.name,
                error=type(error).__name__)  # fmt: skip

    async def _hear_losses(self) -> None:
        while True:
            try:
                await self._publisher.lost()
            except Exception as error:  # noqa: BLE001 - Whatever it is: the next attempt tells whether it works.
                say(log, "publisher does not hear of losses", level=logging.WARNING, publisher=self._publisher.name,
                    error=_said(error))  # fmt: skip
                await asyncio.sleep(LONGEST_WAIT_SECONDS)
            self._up.set(0)
            if self._newest is not None:
                self.take(
                    _Newest(self._newest.document)
                )  # Another than was published, or is being published now.

    async def _until_sure(self) -> None:
        while self._doubt() is not None:
            self._up.set(0)
            await asyncio.sleep(DOUBT_SECONDS)

    async def _attempt(self, newest: _Newest) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._publisher.publish(newest.document, newest.peer_set)
        except Exception as error:  # noqa: BLE001 - Whatever it is, it is this one's, and keeps nobody else from anything.
            await self._fail(error)
        else:
            self._succeed(newest)

    def _succeed(self, newest: _Newest) -> None:
        if self._failed:
            say(log, "publishing again", publisher=self._publisher.name, failures=self._failed,
                generation=newest.document.generation)  # fmt: skip
        self._failed, self._done = 0, newest
        self._pauses.begin_again()
        self._up.set(1)
        self._generation.set(newest.document.generation)
        self._behind_since = None if self._newest is None or newest is self._newest else self._newest.at

    async def _fail(self, error: Exception) -> None:
        self._up.set(0)
        self._failures.inc()
        if not self._failed:  # Once, not at each attempt.
            say(
                log,
                "not published",
                level=logging.WARNING,
                publisher=self._publisher.name,
                error=_said(error),
            )
        self._failed += 1
        # A newer document is worth an attempt at once: the place may be there again, and it is what matters now.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._newer.wait(), self._pauses.next())
        self._newer.set()

    def _await_from(self, at: float) -> None:
        if self._behind_since is None:
            self._behind_since = at

    def _behind(self) -> float:
        return 0.0 if self._behind_since is None else time.monotonic() - self._behind_since


def _said(error: Exception) -> str:
    """Of errors that are none of ours only the kind: their text may quote an address with a secret in it."""
    if isinstance(error, PublishingError):
        return str(error)
    if isinstance(error, TimeoutError):
        return f"not done in {PATIENCE_SECONDS:g} s"
    return type(error).__name__


def _read(document: bytes) -> PeerSet:
    """What it says; it is our own, so its signature is not looked at."""
    payload = document.split(b".")[1]
    plain = base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4))
    return PeerSet.from_bytes(plain, fleet=json.loads(plain)["fleet"])
