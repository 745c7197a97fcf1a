"""Tests of replicas/exchange.py, replica.py and turns.py: what a receiver says while it does not know what the others did."""

import asyncio
from typing import cast

import pytest

from failover_receiver.access import Role, digest
from failover_receiver.acks import Ack
from failover_receiver.metrics import Metrics
from failover_receiver.replicas import exchange
from failover_receiver.replicas.exchange import Exchange, Listener
from failover_receiver.replicas.replica import Replica
from failover_receiver.replicas.told import Said, heard_of
from failover_receiver.replicas.turns import to_the_end
from failover_receiver.store import Heard, Noted, SharedStore, StoredToken, StoreUnavailableError
from failover_receiver.store.dsn import Dsn
from tests.failover_receiver.parts import LIMIT, NOON, SIGNER, Clock
from tests.replicas.conftest import Pair

pytestmark = pytest.mark.anyio


class Store:
    """Notes what is doubted."""

    def __init__(self) -> None:
        self.doubted: list[str] = []

    def doubt(self, what: str) -> None:
        """As the real one."""
        self.doubted.append(what)


async def test_what_cannot_be_read_is_a_fault_until_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or it would say that it is ready, and show what is old for ever; and what was half read is read again."""
    monkeypatch.setattr(exchange, "AGAIN_SECONDS", 0.0)
    store, tried, readable = Store(), asyncio.Event(), asyncio.Event()

    async def catch_up() -> None:
        if not readable.is_set():
            tried.set()
            raise StoreUnavailableError("it is in no form that is known here")

    told = Exchange(
        Dsn.parse("postgresql:///nowhere"),
        cast("SharedStore", store),
        "one",
        cast("Listener", None),
        {"state": catch_up, "roll": catch_up},
        metrics=Metrics(),
        clock=Clock(),
    )
    told._away = None
    told._changed["state"].set()
    following = asyncio.create_task(told._follow("state"))
    try:
        async with asyncio.timeout(LIMIT):
            await tried.wait()
            while told.fault is None:  # noqa: ASYNC110 - it is said to whoever asks.
                await asyncio.sleep(0)
            assert told.fault == told.fault_of("state")
            assert "in no form that is known here" in (told.fault or "")
            assert told.fault_of("roll") is None
            readable.set()
            while told.fault is not None:  # noqa: ASYNC110 - likewise.
                await asyncio.sleep(0)
    finally:
        following.cancel()
    assert store.doubted[0] == "state"


async def test_what_is_being_read_is_read_to_the_end() -> None:
    """Whoever waits for it may hang up: what it gives up waiting for is whole all the same before it is told so."""
    begun, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def catch_up() -> None:
        begun.set()
        await go_on.wait()
        done.set()

    waiting = asyncio.create_task(to_the_end(catch_up))
    await begun.wait()
    waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    go_on.set()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert done.is_set()


async def test_who_has_another_key_is_not_ready(pair: Pair) -> None:
    """It would refuse every webhook that a load balancer sends it."""
    one, other = pair.stores()
    told = Exchange(
        Dsn.parse(pair.uri), one, "one", cast("Listener", None), {}, metrics=Metrics(), clock=Clock()
    )
    told._away = None

    told._compare_keys(SIGNER.key_id)
    before = told.fault
    told._compare_keys("rotated")

    assert before is None
    assert "documents are signed with key rotated now" in (told.fault or "")
    assert other.signer == SIGNER.key_id


async def test_an_ack_that_comes_before_its_token_is_not_lost(pair: Pair) -> None:
    """Of a client that has just enrolled elsewhere: nobody says it again for a minute, and a drain would seem done."""
    replica = Replica(Dsn.parse(pair.uri), "one", pair.one.clock)
    replica.serve(pair.one.receiver)
    phone = Said(Role.CLIENT, "phone", digest("secret"), Ack(1, 1, "fra1", NOON))

    replica.overhear_ack(phone)
    before = dict(pair.one.receiver.acks)
    _, other = pair.stores()
    noted = Noted(NOON, "alice", "token made", "phone", "client", 1, 1)
    other.tokens.add(StoredToken("phone", Role.CLIENT, phone.digest, NOON), noted)
    await replica._learn_tokens()

    assert (before, pair.one.receiver.acks) == ({}, {"phone": phone.ack})


def test_a_newer_program_may_tell_more() -> None:
    """One machine after the other is brought up to date: those that are not must not become deaf."""
    assert heard_of(['{"alerts":{"a":1.0},"read_at":2.0,"weather":"rain"}']) == Heard({"a": 1.0}, 2.0)
