"""Tests of failover_receiver/receiver.py: what a receiver that is one of several says of itself."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, nullcontext

import httpx
import pytest

from failover_receiver import registrar
from failover_receiver.access import Holder, Role
from failover_receiver.acks import Ack
from failover_receiver.app import create_app
from failover_receiver.receiver import Receiver
from tests.failover_receiver.parts import LIMIT, TOKENS, Parts, bearer

pytestmark = pytest.mark.anyio


class Others:
    """As many as a test wants."""

    fault: str | None = None
    turns: AbstractAsyncContextManager[object] = nullcontext()

    @property
    def doubt(self) -> str | None:
        """The same."""
        return self.fault

    def said(self, holder: Holder, ack: Ack) -> None:
        """Nobody hears."""


@pytest.fixture
def others() -> Others:
    """They are heard."""
    return Others()


@pytest.fixture
def receiver(parts: Parts, others: Others) -> Iterator[Receiver]:
    """One of several."""
    one = parts.receiver
    made = Receiver(one.settings, one.driver, one.publication, one.gate, one.metrics, one.signing_key, others)
    yield made
    made.registrar.close()


async def test_one_that_does_not_hear_the_others_is_none_to_follow(
    receiver: Receiver, others: Others
) -> None:
    """Followers turn to another, if they have one; and nothing of it is published while it may be old."""
    holder = next(held for held in receiver.gate.holders.values() if held.role is Role.FOLLOWER)
    stream = receiver.source.follow(holder)
    first = await anext(stream)
    while not (await anext(stream)).startswith(b"event: tokens"):
        pass

    others.fault = "PostgreSQL is away"
    receiver.source.wake()

    assert (first, await anext(stream)) == (
        b'event: standing\ndata: {"live":true,"hops":0}\n\n',
        b'event: standing\ndata: {"live":false,"hops":0}\n\n',
    )
    assert receiver.doubt() == "PostgreSQL is away"


@pytest.mark.parametrize("path", ["/health", "/v1/doctor"])
async def test_one_that_does_not_hear_the_others_does_not_say_that_all_is_well(
    parts: Parts, receiver: Receiver, others: Others, path: str
) -> None:
    """What it shows may be old, and it decides nothing: whoever looks at night is told so."""
    await parts.serve("fra1")
    transport = httpx.ASGITransport(create_app(receiver))
    said = []
    async with httpx.AsyncClient(
        transport=transport, base_url="http://receiver", headers=bearer(TOKENS[Role.OPERATOR])
    ) as http:
        for others.fault in (None, "PostgreSQL is away"):
            answer = (await http.get(path)).json()
            said.append((answer["monitoring"], answer["frozen_by"]))

    assert said == [("live", None), ("blind", "PostgreSQL is away")]


async def test_a_fault_does_not_end_the_issuing_of_client_lists(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list would grow old for ever, and nobody would see why."""
    monkeypatch.setattr(registrar, "RETRY_SECONDS", 0.0)
    tried, again = asyncio.Event(), asyncio.Event()

    async def broken() -> None:
        (again if tried.is_set() else tried).set()
        raise KeyError("a bug")

    monkeypatch.setattr(parts.receiver.registrar, "_publish_locked", broken)
    parts.receiver.registrar._ring()

    async with asyncio.timeout(LIMIT):
        await again.wait()
    parts.receiver.registrar.close()
