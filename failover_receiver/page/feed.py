"""The page as it changes: drawn once for all who look, and only while somebody does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from failover_receiver.page import rendering
from failover_receiver.page.view import View

LOOK_SECONDS = 0.2
"""Between looks at whether something was decided: nobody notices, and it costs a comparison."""

LOOKS = 5
"""Until it is drawn anyhow, once a second: for acks, which come from everybody all the time, and for what time brings."""

HEARTBEAT_SECONDS = 10.0
"""The page takes the receiver for gone after three of these in silence."""

RETRY = b"retry: 1000\n\n"
"""Milliseconds until a browser comes back after its connection broke."""

SIGNED_OUT = b"event: signed-out\ndata: \n\n"


class Feed:
    """Whoever follows it has the page of now, whatever was missed. Belongs to one event loop."""

    def __init__(
        self,
        draw: Callable[[], Awaitable[View]],
        *,
        number: Callable[[], object],
        clock: Callable[[], float],
    ) -> None:
        """Take how the page is made, and the newest document's number, which is another after each decision."""
        self._draw = draw
        self._number = number
        self._clock = clock
        self._view: View | None = None
        self._message = b""
        self._next = asyncio.Event()
        self._followers = 0
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def follow(self, still: Callable[[], bool]) -> AsyncIterator[bytes]:
        """Server-sent events: the page now and after each change, and heartbeats; as long as `still` says so."""
        self._followers += 1
        self._start()
        try:
            yield RETRY
            sent = b""
            while not self._closed:
                waiting = self._next
                if not still():
                    yield SIGNED_OUT
                    return
                if self._message != sent:
                    sent = self._message
                    yield sent
                    continue
                try:
                    await asyncio.wait_for(waiting.wait(), HEARTBEAT_SECONDS)
                except TimeoutError:
                    yield b"event: beat\nid: %.3f\ndata: \n\n" % self._clock()
        finally:
            self._followers -= 1
            if not self._followers:
                self._stop()

    def wake(self) -> None:
        """Let everybody look again whether they may."""
        waiting, self._next = self._next, asyncio.Event()
        waiting.set()

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        self._stop()
        self.wake()

    def _start(self) -> None:
        if self._task is None and not self._closed:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._task, self._view, self._message = None, None, b""

    async def _run(self) -> None:
        while True:
            number = self._number()
            view = await self._draw()
            if not view.same_as(self._view):
                self._view, self._message = view, _event(view)
                self.wake()
            for _ in range(LOOKS):
                await asyncio.sleep(LOOK_SECONDS)
                if self._number() != number:
                    break


def _event(view: View) -> bytes:
    """Its id is the receiver's time, by which the browser counts ages."""
    lines = "".join(f"data: {line}\n" for line in rendering.fragment(view).splitlines())
    return f"event: page\nid: {view.now:.3f}\n{lines}\n".encode()
