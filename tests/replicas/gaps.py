"""Webhooks without end to three receivers while one of them is hurt; when did each of their watchers have what was answered?"""

import hashlib
import itertools
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import httpx

from failover_receiver.access import Role
from tests.failover_receiver.parts import bearer, posted, rfc3339, webhook
from tests.failover_receiver.running import Running
from tests.replicas.three import MANY, WORKERS, Three

EVERY_SECONDS = 0.1
SENDER_PATIENCE = 1.0
"""Seconds. Then a sender turns to the next receiver, as a load balancer would."""
LIMIT = 60.0
Number = tuple[int, int]


class Fault(StrEnum):
    """What is done to one of three, or to what they share."""

    NONE = "none"
    KILL = "kill"
    FREEZE = "freeze"
    CUT = "cut off from PostgreSQL"
    RESTART = "PostgreSQL restarted"


@dataclass(frozen=True, slots=True)
class Answered:
    """A webhook that was answered with 2xx."""

    at: float
    number: Number
    """Of the document that says what came of it."""
    took: float
    """Since it was first sent, to whomever."""
    by: int


@dataclass(frozen=True, slots=True)
class Out:
    """When a receiver was not to be counted on."""

    receiver: int
    since: float
    until: float


@dataclass
class Gaps:
    """What was seen."""

    answered: list[Answered] = field(default_factory=list)
    out: list[Out] = field(default_factory=list)
    seen: list[list[tuple[float, Number]]] = field(default_factory=list)
    """By receiver, by all of its watchers."""
    disorder: list[str] = field(default_factory=list)
    """Numbers that went back, or came with other bytes."""

    @property
    def worst(self) -> float:
        """Seconds from a 2xx until the last watcher of a receiver that lives had the document, at most.

        One that was out has it as late after it was back.
        """
        return max(self._late(one, receiver) for one in self.answered for receiver in range(len(self.seen)))

    @property
    def longest_answer(self) -> float:
        """Seconds until a webhook was taken, by whomever, at most."""
        return max(one.took for one in self.answered)

    def _late(self, one: Answered, receiver: int) -> float:
        due = one.at
        for out in self.out:
            if out.receiver == receiver and out.since - 1.0 <= one.at <= out.until:
                due = max(due, out.until)
        # Each watcher shows each document once: the last of those that had to come by then.
        return max(0.0, self._shown(one.number, receiver) - due)

    def _shown(self, number: Number, receiver: int) -> float:
        return next((at for at, shown in self.seen[receiver] if shown >= number), float("inf"))


class Watcher:
    """Follows a peer set, and comes back when its stream breaks."""

    def __init__(
        self,
        name: str,
        connect: Callable[[], socket.socket],
        token: str,
        bodies: dict[Number, str],
        disorder: list[str],
    ) -> None:
        """Begin at once; all watchers of one fleet share what each number carried, and what was wrong."""
        self._name, self._connect, self._token = name, connect, token
        self._bodies, self._disorder = bodies, disorder
        self.streams = 0
        """So many that a document came by."""
        self.seen: list[tuple[float, Number]] = []
        self._over = threading.Event()
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Follow no more."""
        self._over.set()
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(LIMIT)

    def _run(self) -> None:
        while not self._over.wait(0.05):
            with suppress(OSError):
                self._follow()

    def _follow(self) -> None:
        with self._connect() as self._socket:
            head = (
                f"GET /v1/peer-set/events HTTP/1.1\r\nHost: r\r\nAuthorization: Bearer {self._token}\r\n\r\n"
            )
            self._socket.sendall(head.encode())
            number, fresh, name = (0, 0), True, b""
            for line in self._socket.makefile("rb"):
                if line.startswith(b"event: "):
                    name = line[7:].strip()
                elif line.startswith(b"id: "):
                    epoch, _, generation = line[4:].strip().partition(b".")
                    number = int(epoch), int(generation)
                elif line.startswith(b"data: ") and name == b"peer-set":
                    self.streams += fresh
                    fresh = False
                    self._take(number, hashlib.sha256(line).hexdigest())

    def _take(self, number: Number, body: str) -> None:
        if self._bodies.setdefault(number, body) != body:
            self._disorder.append(f"{number} had other bytes at {self._name}")
        if self.seen and number < self.seen[-1][1]:
            self._disorder.append(f"{number} came after {self.seen[-1][1]} at {self._name}")
        self.seen.append((time.monotonic(), number))


class Sender:
    """Posts one change after the other, each to the next receiver that takes it."""

    def __init__(self, three: Three) -> None:
        """Nothing is sent yet."""
        self._three = three
        self.answered: list[Answered] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._clients: list[httpx.Client] = []

    def start(self) -> None:
        """Send until it is closed."""
        self._thread.start()

    def close(self) -> None:
        """Send no more."""
        self._over.set()
        self._thread.join(LIMIT)

    def send(self, *alerts: dict[str, Any], first: int = 0) -> Answered:
        """One webhook, until somebody has taken it."""
        begun, number = time.monotonic(), first
        while time.monotonic() - begun < LIMIT:
            with suppress(httpx.HTTPError):
                answer = self._post(number % MANY, alerts)
                if answer.status_code == 200:
                    now, said = time.monotonic(), answer.json()
                    return Answered(now, (1, said["generation"]), now - begun, number % MANY)
                assert answer.status_code == 503, answer.text
            number += 1
            time.sleep(0.02)
        raise AssertionError(f"nobody takes a webhook for {LIMIT} s")

    def _post(self, number: int, alerts: tuple[dict[str, Any], ...]) -> httpx.Response:
        receiver = self._three.receivers[number]
        headers = bearer(receiver.secret(Role.ALERTMANAGER))
        return httpx.post(
            f"{receiver.url}/v1/alerts", json=webhook(*alerts), headers=headers, timeout=SENDER_PATIENCE, trust_env=False
        )  # fmt: skip

    def _run(self) -> None:
        for turn in itertools.count():
            if self._over.wait(EVERY_SECONDS):
                return
            self.answered.append(self.send(*change(turn), first=turn))


def change(turn: int) -> list[dict[str, Any]]:
    """Something that is published: the first worker fails, and is heard up again."""
    now = time.time()
    down = posted("down", WORKERS[0], now)
    if turn % 2 == 0:
        return [alive(now), {**down, "startsAt": rfc3339(now)}]
    over = {**down, "status": "resolved", "startsAt": rfc3339(now - 0.001), "endsAt": rfc3339(now)}
    return [alive(now), over, {**posted("up", WORKERS[0], now), "startsAt": rfc3339(now)}]


def alive(now: float) -> dict[str, Any]:
    """The Watchdog."""
    return {**posted("watchdog", None, now), "startsAt": rfc3339(now - 60)}


def measure(
    three: Three, fault: Fault, *, victim: int, before: float, during: float, after: float, watchers: int
) -> Gaps:
    """Hurt one while webhooks arrive; heal it, and see what everybody saw. Times in seconds."""
    gaps, bodies = Gaps(), dict[Number, str]()
    following = [
        [_watcher(three.receivers[n], f"receiver {n}", bodies, gaps.disorder) for _ in range(watchers)]
        for n in range(MANY)
    ]
    sender = Sender(three)
    now = time.time()
    sender.send(alive(now), *({**posted("up", name, now), "startsAt": rfc3339(now)} for name in WORKERS))
    sender.start()
    try:
        time.sleep(before)
        with _hurt(three, fault, victim, gaps.out):
            time.sleep(during)
        time.sleep(after)
    finally:
        sender.close()
        gaps.answered = sender.answered
        _wait(
            lambda: all(
                one.seen and one.seen[-1][1] >= sender.answered[-1].number
                for many in following
                for one in many
            )
        )
        for many in following:
            for one in many:
                one.close()
    gaps.seen = [_last_of(many, gaps.answered) for many in following]
    return gaps


def _watcher(receiver: Running, name: str, bodies: dict[Number, str], disorder: list[str]) -> Watcher:
    def connect() -> socket.socket:
        where = urlsplit(receiver.url)
        return socket.create_connection((where.hostname, where.port))

    return Watcher(name, connect, receiver.secret(Role.OPERATOR), bodies, disorder)


def _last_of(watchers: list[Watcher], answered: list[Answered]) -> list[tuple[float, Number]]:
    """When the last of them had each number, or a later one."""
    numbers = sorted({one.number for one in answered})
    last = []
    for number in numbers:
        at = max(next((at for at, shown in one.seen if shown >= number), float("inf")) for one in watchers)
        last.append((at, number))
    return last


@contextmanager
def _hurt(three: Three, fault: Fault, victim: int, out: list[Out]) -> Iterator[None]:
    since = time.monotonic()
    receiver, relay = three.receivers[victim], three.relays[victim]
    match fault:
        case Fault.NONE:
            yield
            return
        case Fault.KILL:
            receiver.kill()
            yield
            receiver.start()
        case Fault.FREEZE:
            os.kill(receiver.pid, signal.SIGSTOP)
            yield
            os.kill(receiver.pid, signal.SIGCONT)
        case Fault.CUT:
            relay.cut()
            yield
            relay.mend()
        case Fault.RESTART:
            three.postgres.stop()
            three.postgres.start()
            yield
            return
    out.append(Out(victim, since, time.monotonic()))


def _wait(done: Callable[[], bool]) -> None:
    limit = time.monotonic() + LIMIT
    while not done():
        assert time.monotonic() < limit, "a watcher never had the last document"
        time.sleep(0.05)
