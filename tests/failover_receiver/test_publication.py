"""Tests of failover_receiver/publication.py."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from failover_receiver import publication as module
from failover_receiver.publication import HEARTBEAT, Publication
from failover_receiver.store import Document
from tests.failover_receiver.parts import LIMIT
from wgfleet.peerset import TYPE

pytestmark = pytest.mark.anyio


def document(generation: int) -> Document:
    """A document of that generation."""
    return Document(TYPE, 3, generation, b"header.payload%d.signature" % generation)


def message(generation: int) -> bytes:
    """The server-sent event that carries it, as the standard wants it."""
    return b"event: peer-set\nid: 3.%d\ndata: header.payload%d.signature\n\n" % (generation, generation)


async def following(watch: AsyncIterator[bytes]) -> bytes:
    """What a watcher gets next."""
    return await asyncio.wait_for(anext(watch), LIMIT)


async def test_a_watcher_gets_the_newest_document_at_once() -> None:
    """Nothing was missed by coming late."""
    publication = Publication()
    publication.show(document(1))
    publication.show(document(2))

    assert await following(publication.watch()) == message(2)


async def test_a_watcher_gets_every_change_as_it_comes() -> None:
    """Also the first one, if there was nothing to show before."""
    publication = Publication()
    watch = publication.watch()
    waiting = asyncio.ensure_future(following(watch))
    await asyncio.sleep(0)

    publication.show(document(1))

    assert await waiting == message(1)
    publication.show(document(2))
    assert await following(watch) == message(2)


async def test_all_watchers_get_the_same() -> None:
    """One change, one message, any number of watchers."""
    publication = Publication()
    watches = [publication.watch() for _ in range(50)]
    waiting = [asyncio.ensure_future(following(watch)) for watch in watches]
    await asyncio.sleep(0)

    publication.show(document(1))

    assert set(await asyncio.gather(*waiting)) == {message(1)}


async def test_a_slow_watcher_misses_what_is_out_of_date_and_ends_with_the_newest() -> None:
    """Each document is whole, so one in between is of no use."""
    publication = Publication()
    publication.show(document(1))
    watch = publication.watch()
    assert await following(watch) == message(1)

    for generation in range(2, 10):
        publication.show(document(generation))

    assert await following(watch) == message(9)
    waiting = asyncio.ensure_future(following(watch))
    await asyncio.sleep(0)
    assert not waiting.done(), "the newest comes once"
    publication.close()
    with pytest.raises(StopAsyncIteration):
        await waiting


async def test_a_watcher_who_hears_nothing_gets_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    """A comment, which every reader of server-sent events skips."""
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.001)
    publication = Publication()
    publication.show(document(1))
    watch = publication.watch()

    assert await following(watch) == message(1)
    assert [await following(watch) for _ in range(3)] == [HEARTBEAT] * 3
    publication.show(document(2))
    heard = [await following(watch) for _ in range(2)]

    assert message(2) in heard
    assert HEARTBEAT.startswith(b":")
    assert HEARTBEAT.endswith(b"\n\n")


async def test_closing_ends_all_watches() -> None:
    """Those that wait and those that begin."""
    publication = Publication()
    watch = publication.watch()
    waiting = asyncio.ensure_future(following(watch))
    await asyncio.sleep(0)

    publication.close()

    with pytest.raises(StopAsyncIteration):
        await waiting
    publication.show(document(1))
    with pytest.raises(StopAsyncIteration):
        await following(publication.watch())


async def test_watchers_are_counted_for_as_long_as_they_watch() -> None:
    """One that was cut off is not counted."""
    publication = Publication()
    publication.show(document(1))
    watches = [publication.watch() for _ in range(3)]
    for watch in watches:
        await following(watch)
    assert publication.watchers == 3

    waiting = asyncio.ensure_future(following(watches[0]))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    assert publication.watchers == 2


def test_the_tag_is_the_digest_of_the_bytes() -> None:
    """In quotes, as HTTP wants it: the same bytes, the same tag, whoever serves them."""
    publication = Publication()
    publication.show(document(1))

    assert publication.shown is not None
    assert publication.shown.etag == f'"{hashlib.sha256(document(1).body).hexdigest()}"'
    assert publication.shown.document == document(1)
