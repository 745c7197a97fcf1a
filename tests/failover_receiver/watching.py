"""A stream without a network, as a server's `send` behaves: it waits for room and has written nothing until there is some."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from failover_receiver.access import Holder, Role
from failover_receiver.lines import Line, Message
from failover_receiver.watchers import Watcher, Watchers
from tests.failover_receiver.parts import LIMIT


@dataclass(eq=False)
class Stream:
    """One watcher, and what its other end has read."""

    name: str = "phone"
    expires_at: float | None = None
    heard: list[bytes] = field(default_factory=list)
    ended: bool = False
    cut_off: bool = False

    def __post_init__(self) -> None:
        """There is room at first."""
        self.room = asyncio.Event()
        self.room.set()
        self._changed = asyncio.Event()
        self.watcher = Watcher(_Line(self), Holder(self.name, Role.CLIENT, self.name, self.expires_at))

    def abort(self) -> None:
        """Break the connection."""
        self.cut_off = True
        self._changed.set()

    async def send(self, message: Message, /) -> None:
        """As ASGI has it."""
        await self.room.wait()
        assert not self.ended, "something is sent after the end"
        self.ended = not message["more_body"]
        if message["body"]:
            self.heard.append(message["body"])
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until that is so."""
        async with asyncio.timeout(LIMIT):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def until_heard(self, body: bytes, *, times: int = 1) -> None:
        """Wait until that has come so often."""
        await self.until(lambda: self.heard.count(body) >= times)


class _Line(Line):
    """A server's that can break a connection."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream.send)
        self._stream = stream

    def cut_off(self) -> None:
        self._stream.abort()


def joined(watchers: Watchers, *streams: Stream) -> None:
    """Let them watch."""
    for stream in streams:
        watchers.join(stream.watcher)
