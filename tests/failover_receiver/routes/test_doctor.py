"""Tests of failover_receiver/routes/doctor.py: what it says of what lies beyond this machine."""

from typing import Any

import pytest

from failover_receiver.access import Role, digest
from tests.failover_receiver.parts import TOKENS, Parts

pytestmark = pytest.mark.anyio


async def told(parts: Parts) -> Any:
    """What an operator is told."""
    async with parts.ask() as http:
        answer = await http.get("/v1/doctor")
    assert answer.status_code == 200
    return answer.json()


async def test_how_long_each_publisher_has_been_behind(parts: Parts) -> None:
    """None, if nothing is published elsewhere."""
    before = await told(parts)

    parts.receiver.metrics.publisher_behind.labels("webhook:chat").set(90.0)

    assert before["publishers"] == {}
    assert (await told(parts))["publishers"] == {"webhook:chat": 90.0}


async def test_which_followers_follow_it(parts: Parts) -> None:
    """By their tokens' names, as long as their stream is open; whose token is revoked is forgotten."""
    edge = parts.receiver.gate.holder(digest(TOKENS[Role.FOLLOWER]))
    assert edge is not None
    stream = parts.receiver.source.follow(edge)
    before = (await told(parts))["followers"]

    await anext(stream)
    following = (await told(parts))["followers"]
    await stream.aclose()  # type: ignore[attr-defined] # An async generator is typed as what it yields.
    after = (await told(parts))["followers"]
    parts.receiver.gate.learn([one for one in parts.store.tokens.all() if one.role != Role.FOLLOWER])

    assert (before, following, after) == ({"follower": False}, {"follower": True}, {"follower": False})
    assert (await told(parts))["followers"] == {}


async def test_a_receiver_that_stands_alone_shares_no_store(parts: Parts) -> None:
    """How many receivers are on a PostgreSQL is told by tests/replicas."""
    assert (await told(parts))["sharing"] is None
