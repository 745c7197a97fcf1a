"""What a stream is written to: any ASGI server's `send`, or uvicorn's own connection, which costs less.

Neither waits: a part is written whole if there is room, and otherwise not at all.
"""

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

Message = Mapping[str, Any]
"""As ASGI has it. One is sent to many, so nobody changes it."""

END: Message = {"type": "http.response.body", "body": b"", "more_body": False}


class Send(Protocol):
    """ASGI's `send`, as servers make it: a coroutine function."""

    def __call__(self, message: Message, /) -> Coroutine[Any, Any, None]:
        """Send one message."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A part of a stream that goes on, made once for all who get it."""

    message: Message
    wire: bytes
    """The same as HTTP/1.1 has it, in a chunk."""


def part(body: bytes) -> Part:
    """A part of some bytes."""
    message = {"type": "http.response.body", "body": body, "more_body": True}
    return Part(message, b"%x\r\n%s\r\n" % (len(body), body))


NOTHING = part(b"").message
"""Writes no byte: to send it is to wait for room."""


class Line:
    """Any server's. `send` waits for room only, and has written nothing until there is some."""

    __slots__ = ("_send",)

    def __init__(self, send: Send) -> None:
        """Take what the server gave."""
        self._send = send

    def offer(self, part: Part) -> bool:
        """Write it if there is room."""
        return self._drive(part.message)

    def end(self) -> None:
        """End the stream: cleanly if there is room for that, which whoever reads has."""
        if not self._drive(END):
            self.cut_off()

    def cut_off(self) -> None:
        """Break the connection. ASGI has no word for that: the kernel will, when nothing is acknowledged."""

    async def room(self) -> None:
        """Wait until there is some."""
        await self._send(NOTHING)

    def _drive(self, message: Message) -> bool:
        sending = self._send(message)
        try:
            sending.send(None)
        except StopIteration:
            return True
        except (OSError, RuntimeError):
            return True  # The connection is just breaking, which `receive` tells in its turn.
        sending.close()
        return False


class UvicornLine(Line):
    """uvicorn's: past its coroutine, and with the chunk made once instead of for each."""

    __slots__ = ("_cycle",)

    def __init__(self, send: Send, cycle: RequestResponseCycle) -> None:
        """Take both."""
        super().__init__(send)
        self._cycle = cycle

    def offer(self, part: Part) -> bool:
        """Write it if there is room."""
        cycle = self._cycle
        if cycle.disconnected:
            return True  # As `send` has it: `receive` tells.
        if cycle.flow.write_paused:
            return False
        try:
            cycle.transport.write(part.wire)
        except (OSError, RuntimeError):
            return True
        return True

    def cut_off(self) -> None:
        """Break the connection at once, with all that was written and not read."""
        self._cycle.transport.abort()


def line_of(send: Send) -> Line:
    """The shortest way out. For a stream whose head was sent, so that it is known whether it goes in chunks."""
    cycle = getattr(send, "__self__", None)
    if isinstance(cycle, RequestResponseCycle) and cycle.chunked_encoding:
        return UvicornLine(send, cycle)
    return Line(send)
