"""Acks on their way to the receiver. Those that come while some are on their way go together with the next."""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

MOST_AT_ONCE = 1000
MOST_BYTES = 4 * 1024 * 1024
"""Of one request: half of what the receiver takes."""
MOST_WAITING = 50_000
"""Acks. More than that come in no minute of a follower that keeps up."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one ack; the status is HTTP's."""

    status: int
    error: str = ""

    @property
    def outcome(self) -> str:
        """The same as a word."""
        return "taken" if self.status < 300 else "away" if self.status >= 500 else "refused"


TAKEN = Answer(204)
AWAY = Answer(503, "the receiver is away, and nobody else takes acks: say it again later")


@dataclass(slots=True, eq=False)
class _Waiting:
    entry: bytes
    answer: "asyncio.Future[Answer]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Passing:
    """One request at a time is under way."""

    def __init__(self, post: Callable[[bytes, int], Awaitable[Sequence[Answer]]]) -> None:
        """`post` sends a body with so many acks, and returns what became of each; it raises nothing."""
        self._post = post
        self._waiting: deque[_Waiting] = deque()
        self._task: asyncio.Task[None] | None = None

    async def pass_on(self, token: str, ack: object) -> Answer:
        """Pass one on, with the token of whoever says it: the receiver believes that one, not us."""
        if len(self._waiting) >= MOST_WAITING:
            return AWAY
        waiting = _Waiting(json.dumps({"token": token, "ack": ack}, separators=(",", ":")).encode())
        self._waiting.append(waiting)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._go_on())
        return await waiting.answer

    async def _go_on(self) -> None:
        while self._waiting:
            some = self._next()
            body = b'{"acks":[%s]}' % b",".join(one.entry for one in some)
            answers = await self._post(body, len(some))
            for one, answer in zip(some, answers, strict=True):
                if not one.answer.done():  # Its sender has hung up.
                    one.answer.set_result(answer)
        self._task = None

    def _next(self) -> list[_Waiting]:
        some: list[_Waiting] = []
        size = 0
        while self._waiting and len(some) < MOST_AT_ONCE and size < MOST_BYTES:
            some.append(self._waiting.popleft())
            size += len(some[-1].entry)
        return some
