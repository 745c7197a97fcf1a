"""Thousands of watchers in one process that come back whenever they are cut off, after the pauses that a daemon makes."""

import heapq
import multiprocessing
import os
import select
import socket
import struct
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Self

from client_sync.feed import new_pauses
from tests.bench._crowd import WrongBytesError, raise_file_limit
from wgfleet.pauses import Pauses

LONGEST_SECONDS = 90.0
"""For all of them to be back."""
END = b"\n\n\r\n"
AT_FIRST = 256
"""At the beginning they come one after the other: it is their coming back that is measured."""


@dataclass(frozen=True, slots=True)
class Back:
    """How they came back."""

    seconds: float
    """From the first one's loss until the last one had a whole document again."""
    half: float
    """Until half of them had."""
    refused: dict[int, int]
    """Answers that were no document, by status."""
    tries: int
    """Connections that were begun."""


class Returning:
    """The watchers, in a process of their own, on a core of its own; ends with its `with`."""

    def __init__(self, address: tuple[str, int], hello: Sequence[bytes], *, core: int) -> None:
        """Say where they connect, and what each says first."""
        context = multiprocessing.get_context("spawn")
        self._parent, child = context.Pipe()
        self._process = context.Process(target=_serve, args=(address, hello, core, child), daemon=True)
        self._process.start()
        child.close()

    def __enter__(self) -> Self:
        """All of them are there."""
        self._told()
        return self

    def __exit__(self, *_: object) -> None:
        """Let all connections go."""
        self._parent.close()
        self._process.join(10)
        self._process.kill()

    def watch(self) -> None:
        """From now on they come back when they are cut off; `back` tells of it."""
        self._parent.send("watch")

    def reset(self) -> None:
        """Likewise, and all connections are reset at this moment."""
        self._parent.send("reset")

    def back(self) -> Back:
        """Once all of them have a document again. Raises WrongBytesError if that takes too long."""
        return Back(*self._told())

    def _told(self) -> tuple[float, float, dict[int, int], int]:
        told: tuple[float, float, dict[int, int], int] | str = self._parent.recv()
        if isinstance(told, str):
            raise WrongBytesError(told)
        return told


def _serve(address: tuple[str, int], hello: Sequence[bytes], core: int, asked: Connection) -> None:
    os.sched_setaffinity(0, {core})
    raise_file_limit()
    crowd = _Watchers(address, hello)
    try:
        asked.send(crowd.come())
        while True:
            if asked.recv() == "reset":
                crowd.reset()
            asked.send(crowd.come_back())
    except EOFError:
        return
    except (OSError, WrongBytesError) as error:
        asked.send(f"{type(error).__name__}: {error}")


@dataclass(slots=True, eq=False)
class _Watcher:
    number: int
    hello: bytes
    pauses: Pauses = field(default_factory=new_pauses)
    opened: socket.socket | None = None
    said: bytearray = field(default_factory=bytearray)
    is_back: bool = False


class _Watchers:
    def __init__(self, address: tuple[str, int], hello: Sequence[bytes]) -> None:
        self._address = address
        self._watchers = [_Watcher(number, text) for number, text in enumerate(hello)]
        self._back = 0
        self._by_number: dict[int, _Watcher] = {}
        self._epoll = select.epoll()
        self._again: list[tuple[float, int]] = []
        self._refused: Counter[int] = Counter()
        self._tries = 0

    def come(self) -> tuple[float, float, dict[int, int], int]:
        for first in range(0, len(self._watchers), AT_FIRST):
            for watcher in self._watchers[first : first + AT_FIRST]:
                self._open(watcher)
            self._until(min(first + AT_FIRST, len(self._watchers)))
        return 0.0, 0.0, {}, self._tries

    def reset(self) -> None:
        for number, watcher in enumerate(self._watchers):
            if watcher.opened is not None:
                watcher.opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._lose(number)

    def come_back(self) -> tuple[float, float, dict[int, int], int]:
        """From the first loss on, until all are back."""
        while not self._again:
            self._look(LONGEST_SECONDS)
        began, half = time.monotonic(), 0.0
        self._refused.clear()
        self._tries = 0
        while (missing := len(self._watchers) - self._back) or not self._all_were_lost():
            self._look(0.05)
            if not half and missing <= len(self._watchers) // 2 and self._tries > len(self._watchers) // 2:
                half = time.monotonic() - began
            if time.monotonic() - began > LONGEST_SECONDS:
                raise WrongBytesError(f"{missing} are not back after {LONGEST_SECONDS:.0f} s")
        return time.monotonic() - began, half, dict(self._refused), self._tries

    def _all_were_lost(self) -> bool:
        """Each of them has had to come anew."""
        return self._tries >= len(self._watchers)

    def _until(self, count: int) -> None:
        until = time.monotonic() + LONGEST_SECONDS
        while self._back < count:
            self._look(0.05)
            if time.monotonic() > until:
                raise WrongBytesError("they did not come at all")

    def _look(self, seconds: float) -> None:
        while self._again and self._again[0][0] <= time.monotonic():
            self._open(self._watchers[heapq.heappop(self._again)[1]])
        if self._again:
            seconds = min(seconds, max(0.0, self._again[0][0] - time.monotonic()))
        for number, events in self._epoll.poll(seconds, 4096):
            self._hear(self._by_number[number], events)

    def _open(self, watcher: _Watcher) -> None:
        self._tries += 1
        watcher.opened = opened = socket.socket()
        opened.setblocking(False)
        opened.connect_ex(self._address)
        self._by_number[opened.fileno()] = watcher
        self._epoll.register(opened.fileno(), select.EPOLLOUT | select.EPOLLIN)

    def _hear(self, watcher: _Watcher, events: int) -> None:
        opened = watcher.opened
        assert opened is not None
        try:
            if events & select.EPOLLOUT:
                opened.sendall(watcher.hello)
                self._epoll.modify(opened.fileno(), select.EPOLLIN)
            if events & (select.EPOLLIN | select.EPOLLERR | select.EPOLLHUP):
                part = opened.recv(65536)
                if not part:
                    raise ConnectionResetError
                self._take(watcher, part)
        except BlockingIOError:
            return
        except OSError:
            self._lose(watcher.number)

    def _take(self, watcher: _Watcher, part: bytes) -> None:
        if watcher.is_back:
            return  # Another document, or a heartbeat.
        watcher.said += part
        if watcher.said.endswith(END):
            status = int(watcher.said.split(b" ", 2)[1])
            watcher.is_back = status == 200
            self._back += watcher.is_back
            watcher.pauses.begin_again()
        elif b"\r\n\r\n" in watcher.said and not watcher.said.startswith(b"HTTP/1.1 200"):
            self._refused[int(watcher.said.split(b" ", 2)[1])] += 1
            raise ConnectionResetError

    def _lose(self, number: int) -> None:
        watcher = self._watchers[number]
        if watcher.opened is not None:
            self._by_number.pop(watcher.opened.fileno(), None)
            watcher.opened.close()  # Which takes it out of the epoll.
        self._back -= watcher.is_back
        watcher.opened, watcher.is_back = None, False
        watcher.said.clear()
        heapq.heappush(self._again, (time.monotonic() + watcher.pauses.next(), number))
