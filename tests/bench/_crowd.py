"""Thousands of watchers in one process: they connect, wait, and note when each has the whole of what is sent.

While it is timed nothing is understood of the bytes: one `read` for each watcher and one look at the clock. All of them are
checked afterwards. So the crowd costs less than the server that feeds it; it says how much.
"""

import gc
import hashlib
import multiprocessing
import os
import resource
import select
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Self

AT_ONCE = 256
"""Connections that are being made."""

LONGEST_SECONDS = 60.0
"""For a crowd to come, or to have all that was sent."""

HEARTBEAT_MOST = 64
"""Bytes. What is shorter is no document."""

MOST_BYTES = 32768
"""Of one read: a whole document, and not so much more that making room for it costs time."""

SMALL_BUFFER = 32768
"""Bytes, of a watcher that will not read: the kernel would let it have some megabytes before anybody noticed."""


Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Stream:
    """What a watcher says first, and how it knows the end of a whole document."""

    hello: Sequence[bytes]
    """One for each watcher."""
    end: bytes
    """The last bytes on the wire of what there is already."""
    sse: bool
    webhooks: tuple[str, int] | None = None
    """Of a topic: where the receiver is that publishes there, so that a webhook may be what triggers it."""


@dataclass(frozen=True, slots=True)
class Round:
    """Milliseconds from the first byte of what triggers it until watchers have the whole document."""

    first: float
    half: float
    last: float
    cpu: float
    """Of the crowd itself."""


class WrongBytesError(AssertionError):
    """Somebody did not get what was published."""


class Crowd:
    """A crowd in a process of its own, on a core of its own; ends with its `with`."""

    def __init__(
        self, address: Address, stream: Stream, *, core: int, publisher: Address | None = None
    ) -> None:
        """Say where to connect, and where what triggers a publication is sent, if not there; `connect` does it."""
        context = multiprocessing.get_context("spawn")
        self._parent, child = context.Pipe()
        arguments = (address, publisher or address, stream, core, child)
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        child.close()

    def __enter__(self) -> Self:
        """Nothing is connected yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let all connections go."""
        self._parent.close()
        self._process.join(10)
        self._process.kill()

    def connect(self, *, sleepers: int = 0) -> float:
        """Connect all and wait until each has a document; the first ones will not read from then on. Seconds."""
        return float(self._ask("connect", sleepers))

    def round(self, trigger: bytes, *, end: bytes, webhook: bool = False) -> Round:
        """Send what triggers a publication, and wait until all who read have what comes of it, which ends so.

        An empty end: with the end of an MQTT packet, as of a document whose signature nobody can know before.
        `webhook`: send it to the receiver that publishes there, and not to whom the crowd listens to.
        """
        return Round(*self._ask("round", trigger, end, webhook))

    def tell(self, said: bytes) -> None:
        """Send something that nobody here waits for."""
        self._ask("tell", said)

    def answer(self) -> bytes:
        """What was answered to the trigger."""
        return bytes(self._ask("answer"))

    def check(self, document: bytes) -> None:
        """Raise WrongBytesError unless each has got exactly that document in this round."""
        self._ask("check", hashlib.sha256(document).hexdigest())

    def wake(self, document: bytes) -> tuple[float, int]:
        """Let the sleepers read, one after the other: seconds until each has that document, and how many they got in all; the most."""
        seconds, documents = self._ask("wake", document)
        return float(seconds), int(documents)

    def _ask(self, what: str, *arguments: Any) -> Any:
        self._parent.send((what, arguments))
        try:
            good, said = self._parent.recv()
        except EOFError:
            raise WrongBytesError("the crowd has ended") from None
        if not good:
            raise WrongBytesError(said)
        return said


def _serve(address: Address, publisher: Address, stream: Stream, core: int, asked: Connection) -> None:
    os.sched_setaffinity(0, {core})
    raise_file_limit()
    members = _Members(address, publisher, stream)
    calls: dict[str, Callable[..., Any]] = {
        "connect": members.connect,
        "round": members.round,
        "tell": members.tell,
        "answer": members.answer,
        "check": members.check,
        "wake": members.wake,
    }
    gc.disable()
    while True:
        try:
            what, arguments = asked.recv()
        except EOFError:
            return
        try:
            asked.send((True, calls[what](*arguments)))
        except Exception as error:  # noqa: BLE001 - Told to the one who asked.
            asked.send((False, f"{type(error).__name__}: {error}"))


def raise_file_limit() -> int:
    """As many open files as this process may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


class _Members:
    def __init__(self, address: Address, publisher: Address, stream: Stream) -> None:
        self._address, self._publisher_address, self._stream = address, publisher, stream
        self._sockets: dict[int, socket.socket] = {}
        self._sleepers: list[socket.socket] = []
        self._epoll = select.epoll()
        self._got: dict[int, bytes] = {}
        self._at: dict[int, float] = {}
        self._end = stream.end

    def connect(self, sleepers: int) -> float:
        began = time.perf_counter()
        self._publisher = self._receiver = _open(self._publisher_address)
        if self._stream.webhooks is not None:
            self._receiver = _open(self._stream.webhooks)
        if not self._stream.sse:
            self._publisher.sendall(connect_packet("publisher"))
            _exactly(self._publisher.recv(4), b"\x20\x02\x00\x00")
        hello = list(enumerate(self._stream.hello))
        for first in range(0, len(hello), AT_ONCE):
            group = [
                self._begin(text, small=number < sleepers) for number, text in hello[first : first + AT_ONCE]
            ]
            self._got.clear()
            self._collect(len(group))
            for one in group[: max(0, sleepers - first)]:
                self._epoll.unregister(one.fileno())
                self._sleepers.append(self._sockets.pop(one.fileno()))
        return time.perf_counter() - began

    def _begin(self, hello: bytes, *, small: bool) -> socket.socket:
        one = socket.socket()
        if small:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        one.connect(self._address)
        one.sendall(hello)
        one.setblocking(False)
        self._sockets[one.fileno()] = one
        self._epoll.register(one.fileno(), select.EPOLLIN)
        return one

    def round(self, trigger: bytes, end: bytes, webhook: bool) -> tuple[float, float, float, float]:
        teller = self._receiver if webhook else self._publisher
        self._drain()
        self._end = end
        self._got.clear()
        self._at.clear()
        cpu, began = time.process_time(), time.perf_counter()
        teller.sendall(trigger)
        self._collect(len(self._sockets))
        cpu = time.process_time() - cpu
        at = sorted(self._at.values())
        first, half, last = (1000 * (moment - began) for moment in (at[0], at[len(at) // 2], at[-1]))
        return first, half, last, 1000 * cpu

    def _collect(self, left: int) -> None:
        """Until so many have a whole document."""
        poll, read, clock = self._epoll.poll, os.read, time.perf_counter
        got, at, end = self._got, self._at, self._end
        is_whole = (lambda said: said.endswith(end)) if end else whole_packets
        while left:
            ready = poll(LONGEST_SECONDS)
            if not ready:
                raise WrongBytesError(f"{left} have not got it after {LONGEST_SECONDS:.0f} s")
            for number, _ in ready:
                said = read(number, MOST_BYTES)
                moment = clock()
                if not said:
                    raise WrongBytesError("the server ended a stream")
                if number in got:
                    said = got[number] + said
                got[number] = said
                if number not in at and is_whole(said) and len(said) > HEARTBEAT_MOST:
                    at[number] = moment
                    left -= 1

    def _drain(self) -> None:
        """Heartbeats that came between two rounds."""
        for number, _ in self._epoll.poll(0, len(self._sockets) + 1):
            os.read(number, 65536)

    def tell(self, said: bytes) -> None:
        self._publisher.sendall(said)

    def answer(self) -> bytes:
        said = b""
        while b"\r\n\r\n" not in said:
            said += self._receiver.recv(65536)
        head, _, body = said.partition(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        while len(body) < length:
            body += self._receiver.recv(65536)
        if b" 200 " not in head.split(b"\r\n")[0] + b" ":
            raise WrongBytesError((head + body).decode(errors="replace"))
        return body

    def check(self, digest: str) -> None:
        if self._got.keys() != self._sockets.keys():
            raise WrongBytesError("not all have got something")
        for said in self._got.values():
            found = documents(said) if self._stream.sse else [payload(said)]
            if [hashlib.sha256(one).hexdigest() for one in found] != [digest]:
                raise WrongBytesError(f"a watcher got something else: {said[:200]!r}")

    def wake(self, newest: bytes) -> tuple[float, int]:
        counts, seconds = [], []
        for one in self._sleepers:
            began = time.perf_counter()  # Its own: until then it has not read.
            one.settimeout(LONGEST_SECONDS)
            said, end = b"", newest + b"\n\n\r\n"
            while end not in said[-len(end) - MOST_BYTES :]:
                part = one.recv(MOST_BYTES)
                if not part:
                    raise WrongBytesError("the server ended the stream of one that did not read")
                said += part
            said = said[: said.rindex(end) + len(end)]  # A heartbeat may have come behind it.
            seconds.append(time.perf_counter() - began)
            counts.append(len(documents(said)))
        return max(seconds), max(counts)


def _open(address: tuple[str, int]) -> socket.socket:
    opened = socket.create_connection(address, LONGEST_SECONDS)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


def documents(said: bytes) -> list[bytes]:
    """The documents in a chunked stream of events, in their order."""
    whole = b""
    while said:
        size, _, said = said.partition(b"\r\n")
        length = int(size, 16)
        whole += said[:length]
        _exactly(said[length : length + 2], b"\r\n")
        said = said[length + 2 :]
    events = [event for event in whole.split(b"\n\n") if event and not event.startswith(b":")]
    return [event.partition(b"\ndata: ")[2] for event in events]


# As much of MQTT 3.1.1 as a retained document needs.


def connect_packet(name: str) -> bytes:
    """Says who we are; no keepalive, so that nothing is sent while nothing happens."""
    return _packet(0x10, b"\x00\x04MQTT\x04\x02\x00\x00" + _text(name))


def subscribe_packet(topic: str) -> bytes:
    """Asks for a topic at QoS 0."""
    return _packet(0x82, b"\x00\x01" + _text(topic) + b"\x00")


def publish_packet(topic: str, document: bytes) -> bytes:
    """A retained document at QoS 0."""
    return _packet(0x31, _text(topic) + document)


def whole_packets(said: bytes) -> bool:
    """Whether there are some, and the last is there to its end."""
    begin = 0
    while begin < len(said):
        at, shift, length = begin + 1, 0, 0
        while at < len(said):
            length |= (said[at] & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if not said[at - 1] & 0x80:
                break
        else:
            return False
        begin = at + length
    return 0 < begin == len(said)


def payload(said: bytes) -> bytes:
    """Of one PUBLISH packet, and nothing else."""
    at = 1
    while said[at] & 0x80:
        at += 1
    at += 1
    return said[at + 2 + int.from_bytes(said[at : at + 2], "big") :]


def _packet(kind: int, body: bytes) -> bytes:
    left, length = len(body), b""
    while True:
        left, part = left >> 7, left & 0x7F
        length += bytes([part | (0x80 if left else 0)])
        if not left:
            return bytes([kind]) + length + body


def _text(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()


def _exactly(said: bytes, expected: bytes) -> None:
    if said != expected:
        raise WrongBytesError(f"{said!r} came, {expected!r} was expected")
