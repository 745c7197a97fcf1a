"""Tests of how several receivers come to one mind: two in one process, on a real PostgreSQL."""

import asyncio
import contextlib
import json
import threading

import psycopg
import pytest

from failover_receiver.hearing import with_heard
from failover_receiver.replicas.told import heard_by
from failover_receiver.state import DrainWished, RefusedError, State, Tick, WorkerRegistered, WorkerRemoved
from failover_receiver.store import ChangedError, Made, StoreUnavailableError, connecting, postgres
from tests.failover_receiver.parts import FLEET, LIMIT, NOON, Parts, seen
from tests.failover_receiver.story import spec
from tests.replicas.conftest import Pair
from wgfleet.peerset import TYPE

pytestmark = pytest.mark.anyio


def tell(teller: Parts, other: Parts) -> None:
    """What the exchange does each second: one says what it has heard."""
    body = heard_by(teller.state, teller.driver.policy, now=teller.clock.now)
    with other.store.available(), other.store.transaction() as db:
        db.execute("DELETE FROM heard")
        db.execute("INSERT INTO heard VALUES ('one', ?, ?)", (teller.clock.now, body))


def shown(parts: Parts) -> int:
    """The generation that its watchers see."""
    assert parts.publication.shown is not None
    return parts.publication.shown.document.generation


async def test_each_decides_on_what_the_other_has_done(pair: Pair) -> None:
    """Without having been told of it: it reads the newest state under the lock."""
    await pair.one.serve("fra1")

    await pair.other.driver.take(DrainWished("fra1", drain=True), who="operator")

    assert pair.other.states == {"fra1": "draining"}
    assert pair.one.states == {"fra1": "serving"}, "it is told by the exchange, not by this"
    await pair.one.driver.catch_up()
    assert pair.one.states == {"fra1": "draining"}
    assert shown(pair.one) == shown(pair.other)


async def test_a_command_is_refused_by_what_is_true_now(pair: Pair) -> None:
    """Not by what this receiver took to be true."""
    await pair.one.serve("fra1")
    await pair.other.driver.catch_up()
    await pair.one.driver.take(WorkerRemoved("fra1"), who="operator")

    with pytest.raises(RefusedError, match="there is no worker 'fra1'"):
        await pair.other.driver.take(DrainWished("fra1", drain=True), who="operator")


async def test_a_number_is_given_once_whoever_gives_it(pair: Pair) -> None:
    """Twenty commands to each, all at once: forty numbers, and both come to the same state and document."""
    numbers = await asyncio.gather(
        *(
            parts.driver.take(WorkerRegistered(f"w{n}", spec(n)), who="operator")
            for n in range(1, 41)
            for parts in ((pair.one, pair.other)[n % 2],)
        )
    )

    assert sorted(state.generation for state in numbers) == list(range(1, 41))
    await asyncio.gather(pair.one.driver.catch_up(), pair.other.driver.catch_up())
    assert pair.one.state == pair.other.state == pair.one.store.load()
    assert pair.one.publication.shown is not None
    assert pair.one.publication.shown.document == pair.other.store.document(TYPE)
    assert [event.generation for event in pair.one.store.events(100)] == list(range(1, 41))


async def test_a_deadline_takes_effect_once(pair: Pair) -> None:
    """Both have armed the end of the same hold-down: whose timer rings second finds nothing to do."""
    await pair.one.serve("fra1", "ams1")
    for parts in (pair.one, pair.other):
        parts.clock.now = NOON + 1
    await pair.one.hear(seen("down", "fra1", NOON + 1), seen("up", "ams1", NOON + 1))
    pair.one.clock.now = pair.other.clock.now = NOON + 2
    await pair.one.hear(seen("up", "fra1", NOON + 2), seen("up", "ams1", NOON + 2))
    await pair.other.driver.catch_up()
    assert pair.one.states["fra1"] == "joining"

    pair.one.clock.now = pair.other.clock.now = NOON + 2 + pair.one.driver.policy.hold_down
    await pair.one.hear(*(seen("up", name, pair.one.clock.now) for name in ("fra1", "ams1")))
    tell(pair.one, pair.other)
    before = shown(pair.one)
    await pair.other.driver.take(Tick(), who="clock")

    assert pair.one.states["fra1"] == pair.other.states["fra1"] == "serving"
    assert shown(pair.other) == before
    decided = [e for e in pair.one.store.events(100) if (e.subject, e.after) == ("fra1", "serving")]
    assert len(decided) == 2, "once at first, and once after the hold-down"


async def test_who_hears_nothing_is_not_blind_while_another_hears(pair: Pair) -> None:
    """Its load balancer sends every webhook elsewhere: its tick reads what the other one has heard."""
    await pair.one.serve("fra1")
    await pair.other.driver.catch_up()
    for parts in (pair.one, pair.other):
        parts.clock.now = NOON + 100
    await pair.one.hear(seen("up", "fra1", NOON + 100))
    tell(pair.one, pair.other)
    before = pair.one.state.generation

    state = await pair.other.driver.take(Tick(), who="clock")

    assert (state.monitoring, state.generation) == ("live", before)
    assert state.workers["fra1"].monitored


async def test_both_are_blind_when_neither_hears(pair: Pair) -> None:
    """Said once, by whoever is first."""
    await pair.one.serve("fra1")
    tell(pair.one, pair.other)
    for parts in (pair.one, pair.other):
        parts.clock.now = NOON + 100

    first = await pair.other.driver.take(Tick(), who="clock")
    second = await pair.one.driver.take(Tick(), who="clock")

    assert (first.monitoring, second.monitoring) == ("blind", "blind")
    assert first.generation == second.generation


async def test_what_was_heard_here_survives_another_ones_decision(pair: Pair) -> None:
    """It is in this memory alone, and the state that is read anew does not have it."""
    await pair.one.serve("fra1")
    pair.one.clock.now = pair.other.clock.now = NOON + 15
    await pair.one.hear(seen("up", "fra1", NOON + 15))
    await pair.other.driver.take(WorkerRegistered("ams1", spec(2)), who="operator")

    await pair.one.driver.catch_up()

    assert {alert.heard_at for alert in pair.one.state.alerts.values()} == {NOON + 15}


async def test_a_clock_that_is_a_little_behind_publishes_nothing_anew(pair: Pair) -> None:
    """Or each webhook that comes to two receivers would make two documents."""
    pair.one.clock.now = NOON + 0.5
    await pair.one.serve("fra1")
    before = pair.one.state.generation

    state = await pair.other.hear(seen("up", "fra1", NOON))

    assert state.generation == before
    assert state.read_at == NOON + 0.5


async def test_who_is_frozen_while_it_decides_is_put_out(pair: Pair) -> None:
    """PostgreSQL ends its transaction: nothing of it is kept, and the other one goes on."""
    await pair.one.serve("fra1")
    one, _ = pair.stores()
    one.rows("SELECT set_config('idle_in_transaction_session_timeout', '50', false)")
    begun, gone = threading.Event(), threading.Event()

    def freeze(state: State, now: float) -> Made:
        begun.set()
        assert gone.wait(LIMIT)
        return pair.one.driver._make(DrainWished("fra1", drain=True), state, now)

    frozen = asyncio.get_running_loop().run_in_executor(
        None, lambda: one.decide(pair.one.state, freeze, clock=lambda: NOON, who="frozen")
    )
    assert await asyncio.to_thread(begun.wait, LIMIT)
    taken = await pair.other.driver.take(WorkerRegistered("ams1", spec(2)), who="operator")
    gone.set()

    with pytest.raises(StoreUnavailableError):
        await frozen
    assert not taken.workers["fra1"].drain
    state = await pair.one.driver.take(DrainWished("fra1", drain=True), who="operator")
    assert state.generation == taken.generation + 1


async def test_who_is_cut_off_in_the_middle_of_a_pipeline_is_put_out_by_who_waits(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL does not count it as idle: it would hold the lock for ever."""
    await pair.one.serve("fra1")
    one, other = pair.stores()
    monkeypatch.setattr(postgres, "IDLE_MILLISECONDS", 0)
    other.rows("SELECT set_config('lock_timeout', '50', false)")
    assert one._db is not None
    one._db.execute("BEGIN")
    one._db.execute("SELECT 1 FROM versions WHERE what = 'state' FOR UPDATE")
    with contextlib.suppress(psycopg.OperationalError), one._db.pipeline():
        one._db.execute("SELECT 1")
        one._db.pgconn.send_flush_request()
        one._db.pgconn.flush()

        state = await pair.other.driver.take(DrainWished("fra1", drain=True), who="operator")

    assert state.workers["fra1"].drain
    assert (await pair.one.driver.take(Tick(), who="clock")).workers["fra1"].drain


async def test_who_was_overtaken_changes_nothing_of_the_roll(pair: Pair) -> None:
    """Whoever lost the fleet's lock, and does not know it yet, is refused when it writes."""
    one, other = pair.stores()
    for store in (one, other):
        with store.reading("roll", "list"):
            store.clients.roll()
    with other.available(), other.transaction() as db:
        other.fence(db, "roll")
        db.execute("INSERT INTO clients VALUES ('phone', 'key', '[]', '[]', 0)")

    refused = pytest.raises(ChangedError, match="another receiver has changed the list or roll")
    with refused, one.available(), one.transaction() as db:
        one.fence(db, "list", "roll")

    with other.available(), other.transaction() as db:
        other.fence(db, "list", "roll")  # Its own change is no news to it.


async def test_a_document_whose_number_does_not_rise_is_refused_by_the_database(pair: Pair) -> None:
    """Whoever writes it, and whatever it believes."""
    await pair.one.serve("fra1")
    document = pair.one.store.document(TYPE)
    assert document is not None

    store = pair.other.store
    refused = pytest.raises(StoreUnavailableError, match=r"has the number 1\.2 already, and was to get 1\.2")
    with refused, store.available(), store.transaction() as db:
        store.put(db, document)


async def test_who_has_another_key_decides_nothing(pair: Pair) -> None:
    """A rotation that has not reached it, or an `init` of its own: two signatures would cut clients off."""
    await pair.one.serve("fra1")
    one, other = pair.stores()

    with pytest.raises(ValueError, match="does not follow it: copy the file from a receiver that runs"):
        other.take_over(FLEET, "another", (), now=NOON)
    other.take_over(FLEET, "rotated", {one.signer or ""}, now=NOON)

    with pytest.raises(StoreUnavailableError, match="documents are signed with key rotated now"):
        await pair.one.driver.take(DrainWished("fra1", drain=True), who="operator")
    state = other.load()
    assert state is not None
    assert state.issued_at == 0.0, "the new key's first decision publishes everything anew"


async def test_while_postgres_is_away_repetitions_are_still_heard(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is decided by them; but when it is back, nobody was deaf in between."""
    await pair.one.serve("fra1")
    one, _ = pair.stores()
    pair.one.clock.now = NOON + 60

    def away() -> None:
        raise StoreUnavailableError("away")

    with monkeypatch.context() as patched:
        patched.setattr(one, "_connected", away)
        with pytest.raises(StoreUnavailableError):
            await pair.one.hear(seen("up", "fra1", NOON + 60), seen("down", "fra1", NOON + 60))

    assert {alert.heard_at for alert in pair.one.state.alerts.values()} == {NOON + 60}
    assert len(pair.one.state.alerts) == 2, "an alert that is new is sent again"
    state = await pair.one.driver.take(Tick(), who="clock")
    assert state.monitoring == "live"


async def test_a_connection_that_died_unnoticed_costs_nobody_an_answer(pair: Pair) -> None:
    """PostgreSQL was restarted while nobody asked it anything."""
    await pair.one.serve("fra1")
    _, other = pair.stores()
    other.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )

    state = await pair.one.driver.take(DrainWished("fra1", drain=True), who="operator")

    assert state.workers["fra1"].drain


async def test_who_owes_an_answer_for_too_long_is_cut_off(pair: Pair) -> None:
    """By a thread of the store's own, or a receiver that is started or stopped would wait for ever; the next question has a new
    connection.
    """
    one, _ = pair.stores()
    one.watch(0.5)

    with pytest.raises(StoreUnavailableError, match="failed"):
        await asyncio.to_thread(one.rows, "SELECT pg_sleep(60)")
    assert one.rows("SELECT 1") == [(1,)]


async def test_commits_wait_for_the_disk_whatever_the_server_says(pair: Pair) -> None:
    """2xx means durable."""
    one, _ = pair.stores()

    assert one.rows("SHOW synchronous_commit") == [("on",)]
    assert one.rows("SHOW idle_in_transaction_session_timeout") == [
        (f"{connecting.IDLE_MILLISECONDS // 1000}s",)
    ]


async def test_hearing_alone_never_makes_an_alert_known(pair: Pair) -> None:
    """Nor does it set a clock back."""
    state = await pair.one.serve("fra1")
    key = next(iter(state.alerts))

    assert with_heard(state, {key: 1.0, "unknown": NOON + 5}, 1.0) is state
    body = json.loads(heard_by(state, pair.one.driver.policy, now=NOON))
    assert body["read_at"] == NOON
    assert set(body["alerts"]) == set(state.alerts)
