"""Tests of wgfleet/sse.py."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from tests.client_sync.receiver import event
from wgfleet import sse

LINE = st.binary(max_size=20).filter(lambda text: not {*text} & {*b"\r\n"})
EVENTS = st.lists(st.tuples(st.sampled_from(["peer-set", "client-list"]), LINE))
COMMENTS = st.sampled_from([b"", b": heartbeat\n\n", b"retry: 5\n\n"])


def messages(chunks: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """What is read from these chunks."""

    async def chunked() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def read() -> list[tuple[bytes, bytes]]:
        return [message async for message in sse.messages(chunked(), 1 << 20)]

    return asyncio.run(read())


@given(events=EVENTS, comment=COMMENTS, data=st.data())
def test_events_are_read_however_they_are_cut(
    events: list[tuple[str, bytes]], comment: bytes, data: st.DataObject
) -> None:
    """In whatever pieces the network delivers them, with comments anywhere between."""
    stream = comment.join([b"", *(event(document, name) for name, document in events), b""])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    assert messages(chunks) == [(name.encode(), document) for name, document in events]


def test_an_event_without_its_end_is_no_event() -> None:
    """The connection broke in the middle of it."""
    assert messages([event(b"whole"), event(b"half")[:-1]]) == [(b"peer-set", b"whole")]


@given(chunks=st.lists(st.binary(max_size=30)))
def test_noise_breaks_nothing(chunks: list[bytes]) -> None:
    """Any bytes at all are read without an error, as some events or none."""
    assert len(messages(chunks)) <= b"".join(chunks).count(b"\n\n") + 1
