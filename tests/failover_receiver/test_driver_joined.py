"""Tests of failover_receiver/driver.py: webhooks that come while another one is being kept."""

import asyncio
import sqlite3

import pytest

from failover_receiver import driver as module
from failover_receiver.state import State, WorkerRegistered
from failover_receiver.store import StoreUnavailableError
from tests.failover_receiver.keeping import Journal
from tests.failover_receiver.parts import Parts, facts, seen
from tests.failover_receiver.story import spec

pytestmark = pytest.mark.anyio
NAMES = [f"w{number}" for number in range(1, 9)]


def down(parts: Parts, name: str, *, who: str = "alertmanager") -> asyncio.Future[State]:
    """A webhook says that a worker is down."""
    return asyncio.ensure_future(parts.driver.deliver((seen("down", name, parts.clock.now),), who=who))


async def all_waiting() -> None:
    """Let those that have just come get as far as they can."""
    await asyncio.sleep(0)


async def test_webhooks_that_come_during_a_write_are_kept_together(held: Parts, journal: Journal) -> None:
    """One step, one commit, one document for all of them; each is answered when that is durable."""
    await held.serve(*NAMES)
    journal.go_on.clear()
    journal.begun.clear()
    first = down(held, "w1")
    await journal.until_begun()
    others = [down(held, name) for name in ("w2", "w3", "w4")]
    await all_waiting()
    before = len(journal.kept)

    assert not any(one.done() for one in (first, *others))
    journal.go_on.set()
    states = await asyncio.gather(first, *others)

    assert len(journal.kept) == before + 2
    assert len({id(state) for state in states[1:]}) == 1
    assert states[1].generation == states[0].generation + 1
    assert journal.load() == held.state == states[1]
    assert [name for name, state in held.states.items() if state == "down"] == ["w1", "w2", "w3", "w4"]


async def test_what_an_operator_asks_meanwhile_has_its_turn(held: Parts, journal: Journal) -> None:
    """After the write that is under way; webhooks that come later do not push in before it."""
    await held.serve(*NAMES)
    journal.go_on.clear()
    journal.begun.clear()
    first = down(held, "w1")
    await journal.until_begun()
    command = asyncio.ensure_future(held.driver.take(WorkerRegistered("w9", spec(9)), who="operator"))
    await asyncio.sleep(0)
    later = down(held, "w2")
    await all_waiting()
    journal.go_on.set()

    generations = [state.generation for state in await asyncio.gather(first, command, later)]

    assert generations == sorted(set(generations))


async def test_a_failing_store_fails_all_of_them_and_changes_nothing(
    parts: Parts, lock: sqlite3.Connection
) -> None:
    """None of their alerts is known afterwards; sent again, all are taken."""
    before = await parts.serve(*NAMES)
    lock.execute("BEGIN IMMEDIATE")

    outcomes = await asyncio.gather(*(down(parts, name) for name in NAMES[:3]), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [StoreUnavailableError] * 3
    assert parts.state is before
    lock.execute("ROLLBACK")
    await asyncio.gather(*(down(parts, name) for name in NAMES[:3]))
    assert sum(state == "down" for state in parts.states.values()) == 3
    assert parts.store.load() == parts.state


async def test_the_history_names_all_who_delivered(
    held: Parts, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    """Each once, in order; the log says the same."""
    await held.serve(*NAMES)
    caplog.set_level("INFO")

    names = ("w1", "w2", "w3")
    await asyncio.gather(*(down(held, name, who=who) for name, who in zip(names, "bab", strict=True)))

    assert {event.who for event in journal.events(3)} == {"a, b"}
    assert {fact["who"] for fact in facts(caplog.records, "decided")} == {"a, b"}


async def test_a_sender_who_hangs_up_takes_nobody_with_him(held: Parts, journal: Journal) -> None:
    """His alerts came, so they count; the others are answered."""
    await held.serve(*NAMES)
    journal.go_on.clear()
    journal.begun.clear()
    first = down(held, "w1")
    await journal.until_begun()
    impatient, patient = down(held, "w2"), down(held, "w3")
    await all_waiting()

    impatient.cancel()
    journal.go_on.set()
    await asyncio.gather(first, patient)

    assert impatient.cancelled()
    assert sum(state == "down" for state in held.states.values()) == 3


async def test_a_step_takes_only_so_many_at_once(
    held: Parts, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest has its own turn, so that nothing else waits for all of it."""
    monkeypatch.setattr(module, "MOST_AT_ONCE", 2)
    await held.serve(*NAMES)
    before = len(journal.kept)

    states = await asyncio.gather(*(down(held, name) for name in NAMES[:4]))

    assert len(journal.kept) == before + 2
    assert journal.load() == held.state == states[-1]
    assert {alert for alert in held.state.alerts if alert.startswith("down")} == {
        f"down/{name}" for name in NAMES[:4]
    }
