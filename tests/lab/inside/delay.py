"""Carries datagrams from one port to another on loopback and back, each so much later: a long way, without the kernel's help.

Arguments: address, port, the other port, milliseconds each way.
"""

import selectors
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass, field

LARGEST = 65536
BUFFER_BYTES = 4 * 1024 * 1024
"""So that a stall of the machine delays, and does not lose."""

Address = tuple[str, int]
Source = Address | None
"""Of a datagram from outside; None: it comes from inside."""


@dataclass
class Delay:
    """All ways through this relay: a socket inside for each sender outside."""

    door: socket.socket
    inner: Address
    seconds: float
    selector: selectors.DefaultSelector
    ways: dict[Address, socket.socket] = field(default_factory=dict)
    senders: dict[socket.socket, Address] = field(default_factory=dict)
    late: deque[tuple[float, bytes, socket.socket, Source]] = field(default_factory=deque)
    """When to send what by which socket, to whom. All wait equally long, so the first to come is the first to go."""

    def run(self) -> None:
        """Carry for ever."""
        while True:
            wait = max(0.0, self.late[0][0] - time.monotonic()) if self.late else None
            for key, _ in self.selector.select(wait):
                assert isinstance(key.fileobj, socket.socket)
                self.receive(key.fileobj)
            while self.late and self.late[0][0] <= time.monotonic():
                _, datagram, by, to = self.late.popleft()
                send(by, datagram, to)

    def receive(self, ready: socket.socket) -> None:
        """Take all that has come."""
        while True:
            try:
                datagram, source = ready.recvfrom(LARGEST)
            except OSError:  # Nothing more; or the other end is gone for the moment.
                return
            due = time.monotonic() + self.seconds
            if ready is self.door:
                self.late.append((due, datagram, self.way(source), None))
            else:
                self.late.append((due, datagram, self.door, self.senders[ready]))

    def way(self, source: Address) -> socket.socket:
        """The socket inside that stands for a sender outside."""
        if source not in self.ways:
            opened = opening()
            opened.connect(self.inner)
            self.ways[source] = opened
            self.senders[opened] = source
            self.selector.register(opened, selectors.EVENT_READ)
        return self.ways[source]


def opening() -> socket.socket:
    """A socket that never waits."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    opened.setblocking(False)
    return opened


def send(by: socket.socket, datagram: bytes, to: Source) -> None:
    """Send it; where nobody listens for the moment, it is lost, as on any way."""
    try:
        by.send(datagram) if to is None else by.sendto(datagram, to)
    except OSError:
        return


if __name__ == "__main__":
    entrance = opening()
    entrance.bind((sys.argv[1], int(sys.argv[2])))
    with selectors.DefaultSelector() as waiting:
        waiting.register(entrance, selectors.EVENT_READ)
        print("listening", flush=True)
        Delay(entrance, ("127.0.0.1", int(sys.argv[3])), float(sys.argv[4]) / 1000, waiting).run()
