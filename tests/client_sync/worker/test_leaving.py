"""Tests of client_sync/worker/leaving.py, against a receiver on loopback that answers as the test says."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import httpx
import pytest

from client_sync.feed import DeniedError
from client_sync.worker import leaving
from client_sync.worker.leaving import OwnDrain, Stop
from tests.client_sync.receiver import FakeReceiver, Request, answer

SECONDS = 20.0
EMPTY = {"using": 0, "behind": 0, "connections": 0, "uncounted": 0, "sure_in": 0.0}
DRAINED = {"epoch": 1, "generation": 7, "drain": True, "own": True}
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(leaving, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(leaving, "AWAY_SECONDS", 0.5)


@dataclass
class Receiver:
    """Answers each kind of question with what comes next, the last one again and again."""

    answers: dict[str, list[tuple[str, object]]]
    asked: list[str] = field(default_factory=list)
    on_ask: Callable[[], object] = object

    async def __call__(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Answer."""
        method, path, _ = request.line.split()
        self.asked.append(f"{method} {path}")
        self.on_ask()
        waiting = self.answers[method]
        status, body = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        writer.write(answer(status, json.dumps(body).encode()))


def left(*one_after_the_other: dict[str, object]) -> Receiver:
    """A receiver that drains the worker, and then tells this."""
    return Receiver({
        "PUT": [("200 OK", DRAINED)],
        "GET": [("200 OK", {**EMPTY, **one}) for one in one_after_the_other],
    })  # fmt: skip


@contextlib.asynccontextmanager
async def drain(receiver: Receiver, *before: str) -> AsyncIterator[OwnDrain]:
    """Asks that receiver, after those at other URLs."""
    async with FakeReceiver(receiver) as there, httpx.AsyncClient() as http, asyncio.timeout(SECONDS):
        yield OwnDrain(http, "test", lambda: [*before, there.url], lambda: {"Authorization": "Bearer secret"})


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says, of the daemon's own."""
    of_it = [record for record in caplog.records if record.name == leaving.__name__]
    return [f"{record.message}: {record.facts}" for record in of_it]  # type: ignore[attr-defined] # By `say`.


def leave(receiver: Receiver, *before: str, seconds: float = SECONDS) -> list[str]:
    """The worker leaves; returns what people were told."""
    lines: list[str] = []

    async def story() -> None:
        async with drain(receiver, *before) as own:
            await own.leave(seconds, lines.append)

    asyncio.run(story())
    return lines


def test_it_ends_once_no_client_uses_it(caplog: pytest.LogCaptureFixture) -> None:
    """Each change is told once, and the receiver is asked by the number of the document that sends clients away."""
    caplog.set_level(logging.INFO)
    receiver = left(
        {"using": 2}, {"using": 2}, {"connections": 7, "uncounted": 1, "behind": 1}, {"sure_in": 9.5}, {}
    )

    lines = leave(receiver)

    assert receiver.asked == [
        "PUT /v1/self/drain?fleet=test",
        *["GET /v1/self/clients?epoch=1&generation=7"] * 5,
    ]
    assert lines == [
        f"stops once it is empty: {what}"
        for what in (
            "2 clients",
            "7 connections, 1 client without a count of connections, 1 client still to hear of it",
            "clients that the receiver, started a short while ago, may not have heard yet",
        )
    ]
    assert told(caplog)[0].startswith("draining")
    assert told(caplog)[-1].startswith("empty")


def test_it_waits_no_longer_than_it_may(caplog: pytest.LogCaptureFixture) -> None:
    """And says who remains."""
    leave(left({"using": 3}), seconds=0.1)

    assert told(caplog) == ["not empty in time: {'remains': '3 clients', 'timeout': 0.1}"]


@pytest.mark.parametrize("status", ["409 Conflict", "403 Forbidden", "404 Not Found"])
def test_a_refusal_ends_it_at_once(caplog: pytest.LogCaptureFixture, status: str) -> None:
    """With the receiver's reason."""
    receiver = Receiver({"PUT": [(status, {"error": "no worker but fra1 may be used"})]})

    leave(receiver)

    assert receiver.asked == ["PUT /v1/self/drain?fleet=test"]
    (line,) = told(caplog)
    assert line.startswith("drain given up")
    assert "no worker but fra1 may be used" in line


@pytest.mark.parametrize("answers", [[("503 Service Unavailable", {})], [("200 OK", "what?")]])
def test_a_receiver_that_cannot_is_asked_for_a_few_seconds(
    caplog: pytest.LogCaptureFixture, answers: list[tuple[str, object]]
) -> None:
    """Then it is given up."""
    receiver = Receiver({"PUT": answers})

    leave(receiver)

    assert len(receiver.asked) > 1
    assert told(caplog)[0].startswith("drain given up")


def test_a_receiver_that_comes_back_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    """It was just starting."""
    caplog.set_level(logging.INFO)
    receiver = left({})
    receiver.answers["PUT"] = [("503 Service Unavailable", {}), ("200 OK", DRAINED)]

    leave(receiver)

    assert told(caplog)[-1].startswith("empty")


def test_another_receiver_is_asked_where_one_is_away(caplog: pytest.LogCaptureFixture) -> None:
    """Each in its turn."""
    caplog.set_level(logging.INFO)

    leave(left({}), NOWHERE)

    assert told(caplog)[-1].startswith("empty")


def test_a_receiver_that_goes_away_meanwhile_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """Long before the time is over."""
    receiver = left({"using": 1})

    async def story() -> None:
        async with FakeReceiver(receiver) as there, httpx.AsyncClient() as http, asyncio.timeout(SECONDS):
            urls: list[str] = [there.url]
            receiver.on_ask = lambda: urls.__setitem__(0, NOWHERE) if len(receiver.asked) == 3 else None
            await OwnDrain(http, "test", lambda: urls, dict).leave(2 * SECONDS, lambda _line: None)

    asyncio.run(story())
    (line,) = told(caplog)
    assert line.startswith("drain given up")


def test_a_token_that_is_gone_ends_it(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody can be asked without."""

    def no_token() -> dict[str, str]:
        raise DeniedError("token: is not there")

    async def story() -> None:
        async with httpx.AsyncClient() as http:
            await OwnDrain(http, "test", lambda: [NOWHERE], no_token).leave(SECONDS, lambda _line: None)

    asyncio.run(story())
    (line,) = told(caplog)
    assert "token: is not there" in line


@pytest.mark.parametrize(
    "answers",
    [
        [("200 OK", {"drain": False})],
        [("503 Service Unavailable", {}), ("429 Too Many Requests", {}), ("200 OK", {"drain": False})],
        [("409 Conflict", {"error": "fra1 is drained by an operator"})],
        [("404 Not Found", {"error": "there is no DELETE /v1/self/drain here"})],
    ],
)
def test_a_drain_is_lifted_as_soon_as_a_receiver_answers(answers: Sequence[tuple[str, object]]) -> None:
    """Tried for as long as none does; what is refused stays as it is."""
    receiver = Receiver({"DELETE": list(answers)})

    async def story() -> None:
        async with drain(receiver) as own:
            await own.lift()

    asyncio.run(story())
    assert receiver.asked == ["DELETE /v1/self/drain?fleet=test"] * len(answers)


def test_the_first_signal_leaves_and_the_second_ends() -> None:
    """Where the worker does not drain itself, the first one ends."""

    async def signals(*, drains: bool) -> list[tuple[bool, bool]]:
        stop, seen = Stop(drains=drains), []
        for _ in range(2):
            stop.terminate()
            seen.append((stop.leave.is_set(), stop.now.is_set()))
        return seen

    assert asyncio.run(signals(drains=True)) == [(True, False), (True, True)]
    assert asyncio.run(signals(drains=False))[0] == (False, True)
