"""A worn path in user space, where the kernel has no netem: carries a client's WireGuard packets to its workers and back.

Arguments: the client's address, the firewall mark, the first of the ports to listen on (one for each worker, and as many
again to send from), the path's properties as JSON (loss: part of the packets, each way; jitter: seconds at most that
each is held up, each way; rate: bits per second upwards, 0 for any; buffer: seconds that are queued for that), and the
workers' endpoints, as address:port.
"""

import asyncio
import contextlib
import json
import random
import socket
import sys
import time

SO_MARK = 36
Address = tuple[str, int]


class Path:
    """What happens to each packet, but for being carried."""

    def __init__(
        self, *, loss: float = 0.0, jitter: float = 0.0, rate: float = 0.0, buffer: float = 0.3
    ) -> None:
        self.loss = loss
        self.jitter = jitter
        self.rate = rate
        self.buffer = buffer
        self._free_at = 0.0

    def delay(self, size: int, *, up: bool) -> float | None:
        """Seconds that this packet is held up; None if it is lost."""
        if random.random() < self.loss:
            return None
        held = random.uniform(0.0, self.jitter)
        if not (up and self.rate):
            return held
        now = time.monotonic()
        queued = max(0.0, self._free_at - now)
        if queued > self.buffer:
            return None
        self._free_at = now + queued + 8 * size / self.rate
        return held + queued


class Direction(asyncio.DatagramProtocol):
    """Takes packets at one end, and hands them to the other."""

    def __init__(self, path: Path, *, up: bool) -> None:
        self._path = path
        self._up = up
        self.other: asyncio.DatagramTransport | None = None
        self.to: Address | None = None
        """Whom the other end sends to: the worker, or whoever was heard last at this end."""
        self.back: Direction | None = None

    def datagram_received(self, packet: bytes, source: Address) -> None:
        if self.back is not None and self._up:
            self.back.to = source
        delay = self._path.delay(len(packet), up=self._up)
        if delay is not None:
            asyncio.get_running_loop().call_later(delay, self._send, packet)

    def _send(self, packet: bytes) -> None:
        if self.other is not None and self.to is not None:
            self.other.sendto(packet, self.to)


async def carry(address: str, mark: int, port: int, path: Path, workers: list[Address]) -> None:
    """Carry for ever."""
    for number, worker in enumerate(workers):
        up, down = Direction(path, up=True), Direction(path, up=False)
        near = await opened(up, door(address, port + number, mark))
        far = await opened(down, door(address, port + len(workers) + number, mark))
        up.other, up.to, up.back = far, worker, down
        down.other = near
    print("carrying", flush=True)
    await asyncio.Event().wait()


async def opened(end: Direction, at: socket.socket) -> asyncio.DatagramTransport:
    """The end, on its socket."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: end, sock=at)
    return transport


def door(address: str, port: int, mark: int) -> socket.socket:
    """A socket whose packets go the way that WireGuard's own go."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    opened.bind((address, port))
    opened.setblocking(False)
    return opened


def endpoint(text: str) -> Address:
    """`192.0.2.1:51820` as a pair."""
    host, _, port = text.rpartition(":")
    return host, int(port)


if __name__ == "__main__":
    own, fwmark, first, properties, *endpoints = sys.argv[1:]
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(
            carry(own, int(fwmark), int(first), Path(**json.loads(properties)), [*map(endpoint, endpoints)])
        )
