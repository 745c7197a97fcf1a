"""Tests of following/passing.py and outgoing.py: acks on their way."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from failover_receiver.following import passing
from failover_receiver.following.passing import AWAY, TAKEN, Answer, Passing

pytestmark = pytest.mark.anyio


class Receiver:
    """Takes what is posted once it is told to."""

    def __init__(self) -> None:
        self.posted: list[list[str]] = []
        self.go_on = asyncio.Event()

    async def post(self, body: bytes, count: int) -> Sequence[Answer]:
        """Refuse whoever is named nobody."""
        tokens = [one["token"] for one in json.loads(body)["acks"]]
        assert len(tokens) == count
        self.posted.append(tokens)
        await self.go_on.wait()
        return [Answer(401, "who?") if token == "nobody" else TAKEN for token in tokens]


async def test_those_that_come_meanwhile_go_together() -> None:
    """Each is answered for itself."""
    receiver = Receiver()
    acks = Passing(receiver.post)
    first = asyncio.create_task(acks.pass_on("a", {}))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [asyncio.create_task(acks.pass_on(token, {})) for token in ("b", "nobody", "c")]
    await asyncio.sleep(0)
    receiver.go_on.set()

    answers = [await one for one in (first, *others)]

    assert receiver.posted == [["a"], ["b", "nobody", "c"]]
    assert answers == [TAKEN, TAKEN, Answer(401, "who?"), TAKEN]


async def test_one_that_hangs_up_keeps_nothing_from_the_others() -> None:
    """Its ack is on its way all the same."""
    receiver = Receiver()
    acks = Passing(receiver.post)
    gone, there = (asyncio.create_task(acks.pass_on(token, {})) for token in ("a", "b"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gone.cancel()
    receiver.go_on.set()

    assert await there == TAKEN
    assert await acks.pass_on("c", {}) == TAKEN


async def test_no_more_wait_than_memory_bears(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is told to come later."""
    monkeypatch.setattr(passing, "MOST_WAITING", 2)
    receiver = Receiver()
    acks = Passing(receiver.post)
    waiting = [asyncio.create_task(acks.pass_on("a", {})) for _ in range(2)]
    await asyncio.sleep(0)

    assert await acks.pass_on("b", {}) == AWAY
    receiver.go_on.set()
    assert [await one for one in waiting] == [TAKEN, TAKEN]


def test_outcomes_are_counted_by_what_they_mean() -> None:
    """As the metric has them."""
    assert [one.outcome for one in (TAKEN, AWAY, Answer(401))] == ["taken", "away", "refused"]
