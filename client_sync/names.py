"""What the host names of endpoints resolve to: what is known is said at once, and looked up again beside the daemon's work.

A name server may be behind the worker that is dead, and then a look-up takes half a minute. No failover waits for it.
"""

import asyncio
import contextlib
import ipaddress
import logging
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from client_sync.addresses import AddressBook, Lookup, lookup
from wgfleet.logs import say

log = logging.getLogger(__name__)
AGAIN_SECONDS = 60.0
"""A name that is asked for is looked up again after this: a worker may have moved."""
UNKNOWN_SECONDS = 5.0
"""Likewise one that has no address yet."""
WAIT_SECONDS = 1.0
"""For a name without any address: mostly the answer is there by then, and nothing has to be configured twice."""


class Names:
    """A `Resolve` with a memory. Belongs to one thread; look-ups have their own."""

    def __init__(
        self, book: AddressBook, look_up: Lookup = lookup, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Keep what is found in this book."""
        self._book = book
        self._look_up = look_up
        self._clock = clock
        self._asked_at: dict[str, float] = {}
        self._pending: set[str] = set()
        self._answers: SimpleQueue[tuple[str, list[str], OSError | None]] = SimpleQueue()
        self._prompt = True
        """Answers came in time: one is worth waiting for."""
        self.changed: Callable[[], object] = object
        """Called on the event loop when a name that had no address has one."""

    def __call__(self, host: str, port: int) -> tuple[str, ...]:
        """Its addresses as they were found last, those of before first; none, if there never were any."""
        with contextlib.suppress(ValueError):
            return (str(ipaddress.ip_address(host)),)
        self._take()
        known = self._book.remembered(host)
        now = self._clock()
        due_at = self._asked_at.get(host, -AGAIN_SECONDS) + (AGAIN_SECONDS if known else UNKNOWN_SECONDS)
        if host not in self._pending and now >= due_at:
            self._asked_at[host] = now
            self._ask(host, port, wait=self._prompt and not known)
            known = self._book.remembered(host)
        return tuple(known)

    def _ask(self, host: str, port: int, *, wait: bool) -> None:
        loop = None
        with contextlib.suppress(RuntimeError):  # There is none at the start.
            loop = asyncio.get_running_loop()

        def ask() -> None:
            try:
                self._answers.put((host, list(self._look_up(host, port)), None))
            except OSError as error:
                self._answers.put((host, [], error))
            if loop is not None:
                with contextlib.suppress(RuntimeError):  # It ended meanwhile.
                    loop.call_soon_threadsafe(self._tell)

        self._pending.add(host)
        # A daemon's, so that one that takes long holds up no end.
        thread = threading.Thread(target=ask, name="names", daemon=True)
        thread.start()
        if wait:
            thread.join(WAIT_SECONDS)
            self._prompt = not thread.is_alive()
            self._take()

    def _tell(self) -> None:
        if self._take():
            self.changed()

    def _take(self) -> bool:
        """Take the answers that have come; whether a name has an address now that had none."""
        new = False
        while not self._answers.empty():
            host, found, error = self._answers.get()
            self._pending.discard(host)
            if error is not None:
                say(log, "endpoint does not resolve", level=logging.ERROR, host=host, error=error)
            elif found:
                self._prompt = True
                known = self._book.remembered(host)
                new = new or not known
                # In a name server's order they would come in turn, and each turn look like news.
                kept = [address for address in known if address in found]
                self._book.remember(host, [*kept, *(address for address in found if address not in kept)])
        return new
