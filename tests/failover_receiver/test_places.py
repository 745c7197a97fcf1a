"""Tests of failover_receiver/places.py: where clients are, and how workers hear it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from failover_receiver.access import DeniedError, Holder, Role
from failover_receiver.acks import Ack
from failover_receiver.places import STREAMS_MOST, Places
from tests.failover_receiver.parts import NOON, Clock, Parts

pytestmark = pytest.mark.anyio
FRA1 = Holder("fra1", Role.WORKER, "digest")
FIRST = int(1000 * NOON)


async def event(stream: AsyncIterator[bytes]) -> dict[str, Any]:
    """The next one's data."""
    said: dict[str, Any] = json.loads((await anext(stream)).split(b"data: ")[1])
    return said


async def test_a_stream_begins_with_all_and_goes_on_with_what_changed() -> None:
    """Numbers rise; who says the same again, or nothing, is no news."""
    places = Places(Clock())
    places.said("ann", "fra1")
    places.said("bob", "ams1")
    stream = places.follow(FRA1, lambda _: True)

    assert await event(stream) == {
        "whole": True,
        "clients": {"bob": ["ams1", FIRST + 2], "ann": ["fra1", FIRST + 1]},
    }
    places.said("ann", "fra1")
    places.said("ann", None)
    places.said("bob", "fra1")
    assert await event(stream) == {"whole": False, "clients": {"bob": ["fra1", FIRST + 3]}}


async def test_a_stream_that_waits_hears_a_change_at_once() -> None:
    """It is woken."""
    places = Places(Clock())
    stream = places.follow(FRA1, lambda _: True)
    assert await event(stream) == {"whole": True, "clients": {}}
    waiting = asyncio.ensure_future(event(stream))
    await asyncio.sleep(0)
    places.said("ann", "fra1")

    async with asyncio.timeout(5):
        assert (await waiting)["clients"].keys() == {"ann"}


async def test_a_stream_ends_when_its_token_opens_nothing_more() -> None:
    """Once it is woken."""
    places, known = Places(Clock()), [True]
    stream = places.follow(FRA1, lambda _: known[0])
    await event(stream)
    known[0] = False
    places.wake()

    assert [one async for one in stream] == []


async def test_one_token_has_so_many_streams_and_no_more() -> None:
    """Until one of them ends."""
    places = Places(Clock())
    streams = [places.follow(FRA1, lambda _: True) for _ in range(STREAMS_MOST)]
    for stream in streams:
        await event(stream)
    with pytest.raises(DeniedError, match=r"4 streams of token 'fra1' are open already"):
        places.check_room(FRA1)
    places.close()
    assert [one async for one in streams[0]] == []

    places.check_room(FRA1)


async def test_an_ack_says_where_its_client_is_and_a_late_one_does_not(parts: Parts) -> None:
    """Nor does a worker's."""
    client = Holder("ann", Role.CLIENT, "digest")
    parts.receiver.acknowledge(FRA1, Ack(1, 5, "fra1", NOON))
    parts.receiver.acknowledge(client, Ack(1, 5, "fra1", NOON))
    parts.receiver.acknowledge(client, Ack(1, 4, "ams1", NOON))

    assert json.loads(parts.receiver.places.told())["clients"] == {"ann": ["fra1", FIRST + 1]}


async def test_a_clients_place_is_forgotten_with_its_token(parts: Parts) -> None:
    """So there are never more places than tokens."""
    parts.receiver.acknowledge(Holder("ann", Role.CLIENT, "gone"), Ack(1, 5, "fra1", NOON))

    await parts.receiver.learn_tokens()

    assert json.loads(parts.receiver.places.told())["clients"] == {}
