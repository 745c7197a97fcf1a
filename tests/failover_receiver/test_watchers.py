"""Tests of failover_receiver/watchers.py: each has the newest, once; nobody waits for another."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from failover_receiver import watchers as module
from failover_receiver.access import Holder
from failover_receiver.lines import Message, Part, part
from failover_receiver.watchers import BEATS, FIRST_SLICE, SLICE, Watchers
from tests.failover_receiver.parts import LIMIT, facts
from tests.failover_receiver.watching import Stream, joined

pytestmark = pytest.mark.anyio

ONE, TWO, THREE = (part(body) for body in (b"one", b"two", b"three"))
HEARTBEAT = b": heartbeat\n\n"


@pytest.fixture
async def watchers() -> AsyncIterator[Watchers]:
    """Nobody watches yet."""
    made = Watchers()
    yield made
    made.close()


async def swept(*streams: Stream, message: Part) -> None:
    """Wait until it has reached them all."""
    for stream in streams:
        await stream.until_heard(message.message["body"])


async def turns(count: int) -> None:
    """Let the loop go round: for what must not happen, of which there is no event."""
    for _ in range(count):
        await asyncio.sleep(0)


# What each gets.


async def test_one_that_comes_late_gets_the_newest_at_once(watchers: Watchers) -> None:
    """Before anything else can happen, and nothing older."""
    stream = Stream()
    watchers.send(ONE)
    watchers.send(TWO)

    joined(watchers, stream)

    assert stream.heard == [b"two"]


async def test_one_that_comes_before_there_is_anything_waits_for_the_first(watchers: Watchers) -> None:
    """And gets it as it comes."""
    stream = Stream()
    joined(watchers, stream)
    assert stream.heard == []

    watchers.send(ONE)

    await swept(stream, message=ONE)
    assert stream.heard == [b"one"]


async def test_each_gets_every_change_once(watchers: Watchers) -> None:
    """However many they are, more than a slice of a sweep."""
    streams = [Stream() for _ in range(2 * SLICE + 1)]
    joined(watchers, *streams)

    for message in (ONE, TWO):
        watchers.send(message)
        await swept(*streams, message=message)

    assert {tuple(stream.heard) for stream in streams} == {(b"one", b"two")}


async def test_one_that_comes_during_a_sweep_gets_it_once(watchers: Watchers) -> None:
    """Neither a gap nor a double, wherever the sweep is."""
    streams = [Stream() for _ in range(2 * SLICE)]
    joined(watchers, *streams)

    watchers.send(ONE)
    late = [Stream() for _ in range(4)]
    for one in late:
        joined(watchers, one)
        await turns(1)
    await swept(*streams, message=ONE)

    assert {tuple(stream.heard) for stream in (*streams, *late)} == {(b"one",)}


async def test_a_newer_one_during_a_sweep_replaces_the_older(watchers: Watchers) -> None:
    """Those who have not had the older one never get it; all get the newer one, once."""
    streams = [Stream() for _ in range(3 * SLICE)]
    joined(watchers, *streams)

    watchers.send(ONE)
    await turns(1)
    watchers.send(TWO)
    await swept(*streams, message=TWO)

    had = [tuple(stream.heard) for stream in streams]
    assert sorted(set(had)) == [(b"one", b"two"), (b"two",)]
    assert had.count((b"one", b"two")) == FIRST_SLICE


async def test_changes_that_follow_fast_keep_nobody_waiting(watchers: Watchers) -> None:
    """A sweep goes on where it was: one slice of time for each change is enough to reach all."""
    streams = [Stream() for _ in range(3 * SLICE)]
    joined(watchers, *streams)

    for number in range(3 * SLICE // FIRST_SLICE):
        watchers.send(part(b"%d" % number))
        await turns(1)

    assert {len(stream.heard) for stream in streams} == {1}


async def test_others_get_a_turn_during_a_sweep(watchers: Watchers) -> None:
    """A webhook is not kept waiting until all have had the last one's outcome."""
    streams = [Stream() for _ in range(4 * SLICE)]
    joined(watchers, *streams)

    watchers.send(ONE)
    reached = []
    while not all(stream.heard for stream in streams):
        await turns(1)
        reached.append(sum(bool(stream.heard) for stream in streams))

    first = FIRST_SLICE
    assert reached == [first, first + SLICE, first + 2 * SLICE, first + 3 * SLICE, 4 * SLICE]


async def test_one_that_has_left_gets_nothing(watchers: Watchers) -> None:
    """Even in the midst of a sweep, and leaving twice is no harm."""
    stays, leaves = Stream(), Stream()
    joined(watchers, stays, leaves)

    watchers.send(ONE)
    watchers.leave(leaves.watcher)
    watchers.leave(leaves.watcher)
    await swept(stays, message=ONE)

    assert leaves.heard == []
    assert list(watchers) == [stays.watcher]
    assert len(watchers) == 1


async def test_a_connection_that_just_breaks_stops_nobody_else(watchers: Watchers) -> None:
    """Servers tell it by an error of `send`, until `receive` does."""

    class Broken(Stream):
        async def send(self, message: Message, /) -> None:
            raise RuntimeError(f"the handler is closed: {message['type']} was not written")

    broken, other = Broken(), Stream()
    joined(watchers, broken, other)

    watchers.send(ONE)

    await swept(other, message=ONE)


async def test_one_that_fails_keeps_the_document_from_nobody_else(
    watchers: Watchers, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither this one nor the next; it is said whose connection it was, which is cut."""

    class Failing(Stream):
        async def send(self, message: Message, /) -> None:
            raise ValueError(f"{message['type']} is not what I like")

    failing, others = Failing("odd"), [Stream() for _ in range(SLICE)]
    joined(watchers, failing, *others)

    for message in (ONE, TWO):
        watchers.send(message)
        await swept(*others, message=message)

    assert failing.cut_off
    assert failing.watcher not in set(watchers)
    assert facts(caplog.records, "watcher dropped") == [
        {"name": "odd", "error": "ValueError('http.response.body is not what I like')"}
    ]


# One that does not read.


async def test_one_that_does_not_read_delays_nobody(watchers: Watchers) -> None:
    """The others have each change while it has none."""
    stalled, other = Stream(), Stream()
    joined(watchers, stalled, other)
    stalled.room.clear()

    for message in (ONE, TWO):
        watchers.send(message)
        await swept(other, message=message)

    assert (stalled.heard, other.heard) == ([], [b"one", b"two"])


async def test_one_that_reads_again_gets_the_newest_and_nothing_older(watchers: Watchers) -> None:
    """Each document is whole, so one in between is of no use."""
    stalled = Stream()
    joined(watchers, stalled)
    stalled.room.clear()
    for message in (ONE, TWO, THREE):
        watchers.send(message)
        await turns(3)

    stalled.room.set()
    await swept(stalled, message=THREE)
    watchers.send(ONE)
    await swept(stalled, message=ONE)

    assert stalled.heard == [b"three", b"one"]


async def test_one_that_reads_again_during_a_sweep_gets_it_once(watchers: Watchers) -> None:
    """From its own task, before the sweep comes by."""
    streams = [Stream() for _ in range(4 * SLICE)]
    joined(watchers, *streams)
    last = list(watchers)[-1]
    stalled = next(stream for stream in streams if stream.watcher is last)
    stalled.room.clear()
    watchers.send(ONE)
    await swept(*(stream for stream in streams if stream is not stalled), message=ONE)
    assert stalled.watcher.late is not None

    watchers.send(TWO)
    stalled.room.set()
    await swept(stalled, message=TWO)
    assert sum(b"two" in stream.heard for stream in streams) < len(streams), "the sweep is still on its way"
    await swept(*streams, message=TWO)
    await turns(2)

    assert stalled.heard == [b"two"]


async def test_one_that_takes_nothing_for_long_is_cut_off(
    watchers: Watchers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said who; nobody else notices."""
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.01)
    stalled, other = Stream("sleeper"), Stream()
    joined(watchers, stalled, other)
    stalled.room.clear()

    with caplog.at_level("INFO"):
        watchers.send(ONE)
        await stalled.until(lambda: stalled.cut_off)

    assert list(watchers) == [other.watcher]
    assert facts(caplog.records, "watcher dropped: it takes nothing") == [
        {"name": "sleeper", "seconds": 0.01}
    ]


async def test_one_that_leaves_while_it_is_waited_for_leaves_nothing_behind(watchers: Watchers) -> None:
    """No task goes on waiting for a connection that is gone."""
    stalled = Stream()
    joined(watchers, stalled)
    stalled.room.clear()
    watchers.send(ONE)
    await turns(3)
    waiting = stalled.watcher.late
    assert waiting is not None

    watchers.leave(stalled.watcher)

    async with asyncio.timeout(LIMIT):
        await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert stalled.heard == []


# Heartbeats.


async def test_everybody_has_a_heartbeat_in_each_period(
    watchers: Watchers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the period was when they came; a comment, which every reader of server-sent events skips."""
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.001)
    streams = [Stream() for _ in range(2 * BEATS)]
    joined(watchers, *streams)

    for stream in streams:
        await stream.until_heard(HEARTBEAT, times=3)
        assert set(stream.heard) == {HEARTBEAT}


async def test_heartbeats_are_spread_over_the_period(watchers: Watchers) -> None:
    """A crowd that came together is not beaten for together."""
    joined(watchers, *(Stream() for _ in range(10 * BEATS)))

    shares = [len(turn) for turn in watchers._turns]

    assert shares == [10] * BEATS


async def test_one_that_does_not_read_is_owed_no_heartbeat(
    watchers: Watchers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the newest when it reads again, and then what comes."""
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.001)
    stalled, other = Stream(), Stream()
    joined(watchers, stalled, other)
    stalled.room.clear()

    await other.until(lambda: len(other.heard) == 5)
    stalled.room.set()
    await stalled.until(lambda: bool(stalled.heard))

    assert len(stalled.heard) == 1


async def test_without_watchers_no_timer_goes(watchers: Watchers) -> None:
    """A receiver that nobody follows sleeps."""
    stream = Stream()
    joined(watchers, stream)
    assert watchers._timer is not None

    watchers.leave(stream.watcher)

    assert watchers._timer is None


# Ends.


async def test_closing_ends_all_streams_and_those_that_still_come(watchers: Watchers) -> None:
    """Cleanly where somebody reads; where nobody does the connection is cut, or a stop would wait for it."""
    reads, stalled, late = Stream(), Stream(), Stream()
    joined(watchers, reads, stalled)
    stalled.room.clear()
    watchers.send(ONE)
    await swept(reads, message=ONE)

    watchers.close()
    joined(watchers, late)

    assert (reads.ended, reads.cut_off) == (True, False)
    assert (stalled.ended, stalled.cut_off) == (False, True)
    assert late.ended
    assert len(watchers) == 0


async def test_whoever_is_not_known_any_more_is_ended(watchers: Watchers) -> None:
    """The others go on."""
    revoked, other = Stream("revoked"), Stream("other")
    joined(watchers, revoked, other)

    watchers.end_unknown(lambda holder: holder.name != "revoked")

    assert (revoked.ended, other.ended) == (True, False)
    assert list(watchers) == [other.watcher]


async def test_whoever_expires_is_ended_within_a_heartbeat(
    watchers: Watchers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody says so when it happens, so it is looked at each time."""
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.001)
    known = True

    def knows(holder: Holder) -> bool:
        return known or holder.name != "guest"

    guest, other = Stream("guest"), Stream("other")
    joined(watchers, guest, other)
    watchers.end_unknown(knows)
    assert not guest.ended

    known = False

    await guest.until(lambda: guest.ended)
    assert not other.ended
