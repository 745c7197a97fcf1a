"""Posts webhooks as fast as they are answered: a few raw sockets, so that the server is what is measured."""

import contextlib
import itertools
import json
import select
import socket
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

MARK = "2026-01-01T00:00:00.000000Z"
"""Stands in a body where the time of a beginning goes, which is new in each."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a number of senders got done."""

    answered: int
    seconds: float
    sender_cpu: float
    """Seconds of processor time that posting itself took."""
    latencies: Sequence[float]
    """Seconds from a body's first byte to its answer's last."""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds

    @property
    def p50(self) -> float:
        """The median latency in milliseconds."""
        return statistics.median(self.latencies) * 1000


class Bodies:
    """Webhooks whose alerts begin anew each time: no two are the same to whoever keeps them."""

    def __init__(self, url: str, token: str, alerts: Sequence[dict[str, Any]], each: int) -> None:
        """Cut these alerts into webhooks of `each`."""
        self._requests = [
            _request(url, token, alerts[start : start + each]) for start in range(0, len(alerts), each)
        ]
        self._turn = itertools.cycle(self._requests)
        self.last: float = 0.0
        """When the alerts of the newest one begin."""

    def next(self) -> bytes:
        """One more request, as bytes."""
        self.last = max(
            time.time(), self.last + 1e-6
        )  # Never the same twice, to the microsecond of the wire.
        begun = datetime.fromtimestamp(self.last, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()
        return begun.join(next(self._turn))


def _request(url: str, token: str, alerts: Sequence[dict[str, Any]]) -> list[bytes]:
    body = json.dumps({"version": "4", "status": "firing", "receiver": "wgfleet", "groupKey": "{}",
                       "truncatedAlerts": 0, "externalURL": "http://alertmanager.example:9093",
                       "alerts": [{**alert, "startsAt": MARK} for alert in alerts]}).encode()  # fmt: skip
    head = (
        f"POST /v1/alerts HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nUser-Agent: Alertmanager/0.28\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return (head.encode() + body).split(MARK.encode())


def post(url: str, bodies: Bodies, *, senders: int, until: Callable[[int], bool]) -> Load:
    """Keep each sender's connection busy until it is enough of answers (or of time).

    Raises:
        AssertionError: an answer was not 200.

    """
    target = urlsplit(url)
    assert target.hostname is not None
    assert target.port is not None
    address = (target.hostname, target.port)
    with contextlib.ExitStack() as open_ones:
        made = [open_ones.enter_context(socket.create_connection(address)) for _ in range(senders)]
        poller = open_ones.enter_context(select.epoll())
        for connection in made:
            poller.register(connection.fileno(), select.EPOLLIN)
        return _keep_busy({connection.fileno(): connection for connection in made}, poller, bodies, until)


def _keep_busy(
    connections: dict[int, socket.socket], poller: select.epoll, bodies: Bodies, until: Callable[[int], bool]
) -> Load:
    latencies: list[float] = []
    cpu, begun = time.process_time(), time.perf_counter()
    sent = {number: _send(connection, bodies) for number, connection in connections.items()}
    while sent:
        for number, _ in poller.poll():
            _receive(connections[number])
            latencies.append(time.perf_counter() - sent.pop(number))
            if not until(len(latencies)):
                sent[number] = _send(connections[number], bodies)
    return Load(len(latencies), time.perf_counter() - begun, time.process_time() - cpu, latencies)


def _send(connection: socket.socket, bodies: Bodies) -> float:
    request = bodies.next()
    at = time.perf_counter()
    connection.sendall(request)
    return at


def _receive(connection: socket.socket) -> None:
    answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 200 "), answer[:500]
    head, _, body = answer.partition(b"\r\n\r\n")
    length = next(int(value) for name, value in _fields(head) if name == b"content-length")
    while len(body) < length:
        more = connection.recv(65536)
        assert more, "the connection ended within an answer"
        body += more


def _fields(head: bytes) -> Iterator[tuple[bytes, bytes]]:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        yield name.lower(), value
