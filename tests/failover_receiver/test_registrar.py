"""Tests of failover_receiver/registrar.py: what is kept, and when which list is published."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from failover_receiver import registrar as registrar_module
from failover_receiver.publication import Shown
from failover_receiver.registry.changes import Draft
from failover_receiver.registry.clients import Client, Wish
from failover_receiver.state import Policy, RefusedError
from failover_receiver.store import StoreUnavailableError
from tests.failover_receiver.parts import FLEET, LIMIT, NOON, SIGNER, Parts, build, facts
from tests.failover_receiver.story import spec
from wgfleet.clientlist import TYPE, ClientList
from wgfleet.signing import Verifier

pytestmark = pytest.mark.anyio
POOLS = ["10.99.0.0/16", "fd99::/64"]


@pytest.fixture
def pooled(tmp_path: Path) -> Iterator[Parts]:
    """A receiver that gives addresses."""
    wired = build(tmp_path, client_pools=POOLS)
    yield wired
    wired.close()


def key(number: int) -> str:
    """A client's key."""
    return f"{100 + number:042d}A="


async def add(parts: Parts, *names: str, first: int = 1) -> tuple[int, int]:
    """Add clients, each by itself; the number of the list that has them all."""
    number = (0, 0)
    for at, name in enumerate(names, start=first):
        wish = Wish(name, key(at))
        _, number = await parts.receiver.registrar.change(putting(wish), who="operator")
    return number


def putting(wish: Wish) -> Any:
    """The change that puts it."""

    def put(draft: Draft) -> Client:
        return draft.put(wish)

    return put


async def revoke(parts: Parts, name: str) -> tuple[int, int]:
    """Take a client away; the number of the list that lacks it."""
    _, number = await parts.receiver.registrar.change(lambda draft: draft.revoke(name), who="operator")
    return number


def shown(parts: Parts) -> Shown:
    """What is published."""
    assert parts.receiver.client_list.shown is not None
    return parts.receiver.client_list.shown


def listed(parts: Parts) -> ClientList:
    """What the published list says, if its signature is good."""
    payload = Verifier([parts.driver.signer.public_text]).payload(shown(parts).document.body)
    return ClientList.from_bytes(payload, fleet=FLEET)


def names(parts: Parts) -> list[str]:
    """Who is on it."""
    return [client.name for client in listed(parts).clients]


async def until(parts: Parts, condition: Callable[[], bool]) -> None:
    """Wait until a list makes that so."""
    changed = asyncio.Event()
    parts.receiver.client_list.tell(lambda _: changed.set())
    async with asyncio.timeout(LIMIT):
        while not condition():
            changed.clear()
            await changed.wait()


async def until_listed(parts: Parts, *expected: str) -> None:
    """Wait for the list with these."""
    await until(parts, lambda: names(parts) == list(expected))


def reopened(parts: Parts, **said: Any) -> Parts:
    """The same receiver after a restart."""
    parts.close()
    return build(parts.receiver.settings.store_file.parent, clock=parts.clock, client_pools=POOLS, **said)


async def test_a_client_is_published_before_its_adding_is_answered(pooled: Parts) -> None:
    """Signed, with its addresses and the number that was said, which is in the history too."""
    number = await add(pooled, "ann")

    said = listed(pooled)
    event = pooled.store.events(1)[0]

    assert number == said.number == (1, 1)
    assert (said.issued_at, said.fresh_until) == (NOON, NOON + 3600.0)
    assert [(client.name, client.allowed_ips) for client in said.clients] == [
        ("ann", ("10.99.0.1/32", "fd99::1/128"))
    ]
    assert (event.who, event.what, event.subject, event.reason, event.epoch, event.generation) == (
        "operator",
        "client added",
        "ann",
        "10.99.0.1/32, fd99::1/128",
        1,
        1,
    )


async def test_nothing_is_published_before_there_is_a_client(pooled: Parts) -> None:
    """Workers that have peers of their own keep them."""
    await pooled.receiver.registrar.start()

    assert pooled.receiver.client_list.shown is None
    assert pooled.receiver.registrar.number == (1, 0)


async def test_changes_soon_after_a_list_share_the_next_one(pooled: Parts) -> None:
    """Each is told its number at once, and the list comes at its mark with all of them."""
    await add(pooled, "ann")
    pooled.clock.now += 0.1  # The mark is so far that a busy machine makes all three before it.

    numbers = [
        await add(pooled, "bob", first=2),
        await add(pooled, "cat", first=3),
        await revoke(pooled, "ann"),
    ]

    assert (numbers, names(pooled)) == ([(1, 2)] * 3, ["ann"])
    await until_listed(pooled, "bob", "cat")
    assert listed(pooled).number == (1, 2)


async def test_a_change_after_a_pause_is_published_at_once(pooled: Parts) -> None:
    """Half a second after the last list; or when the clock was set back, because then nobody knows."""
    await add(pooled, "ann")
    pooled.clock.now += 0.5
    await add(pooled, "bob", first=2)
    pooled.clock.now -= 60.0
    await add(pooled, "cat", first=3)

    assert (names(pooled), listed(pooled).number) == (["ann", "bob", "cat"], (1, 3))


async def test_what_changes_nothing_publishes_nothing(pooled: Parts) -> None:
    """The number is that of the list which says so already."""
    await add(pooled, "ann")
    before = shown(pooled)
    pooled.clock.now += 9.0

    number = await add(pooled, "ann")

    assert (number, shown(pooled)) == ((1, 1), before)
    assert len([event for event in pooled.store.events(9) if event.what == "client added"]) == 1


async def test_what_is_refused_changes_nothing(pooled: Parts) -> None:
    """Neither the roll nor the list nor the history."""
    await add(pooled, "ann")
    before = shown(pooled)
    pooled.clock.now += 9.0

    with pytest.raises(RefusedError, match="is already that of client 'ann'"):
        await add(pooled, "bob")

    assert (list(pooled.receiver.registrar.roll.clients), shown(pooled)) == (["ann"], before)
    assert len(pooled.store.events(9)) == 1


async def test_a_revoked_client_leaves_the_list_and_is_named_by_its_key(pooled: Parts) -> None:
    """So that workers may forget it, however many others go too."""
    await add(pooled, "ann", "bob")
    pooled.clock.now += 9.0

    number = await revoke(pooled, "ann")

    said = listed(pooled)
    assert (names(pooled), said.revoked, said.number) == (["bob"], (key(1),), number)


async def test_a_confirmation_carries_the_number_of_its_own_list(pooled: Parts) -> None:
    """Which is newer than any that a worker holds."""
    await add(pooled, "ann")
    pooled.clock.now += 9.0

    _, number = await pooled.receiver.registrar.change(lambda draft: draft.confirm(), who="operator")

    assert listed(pooled).removals_confirmed == number == (1, 2)


async def test_a_list_is_issued_anew_at_half_of_its_freshness(tmp_path: Path) -> None:
    """Its readers take an old one for the sign of a dead receiver."""
    parts = build(tmp_path, client_pools=POOLS, policy=Policy(fresh_for=0.2))
    await add(parts, "ann")
    parts.clock.now += 0.1

    await until(parts, lambda: listed(parts).generation > 1)

    assert (names(parts), listed(parts).issued_at) == (["ann"], parts.clock.now)
    parts.close()


# After a restart.


async def test_all_is_there_after_a_restart(pooled: Parts) -> None:
    """Clients, revocations, addresses that cool, the list itself under its number."""
    await add(pooled, "ann", "bob")
    pooled.clock.now += 9.0
    await revoke(pooled, "ann")
    before, roll = shown(pooled), pooled.receiver.registrar.roll

    again = reopened(pooled)
    await again.receiver.registrar.start()

    after = again.receiver.registrar.roll
    assert shown(again).document == before.document
    assert (after.clients, after.revocations, after.freed) == (roll.clients, roll.revocations, roll.freed)
    assert (after.by_key, after.space._held) == (roll.by_key, roll.space._held)
    again.close()


async def test_a_change_that_was_not_published_is_published_at_start(pooled: Parts) -> None:
    """A crash between the two loses nothing, and the number is the one that was said."""
    await add(pooled, "ann")
    number = await add(pooled, "bob", first=2)
    assert names(pooled) == ["ann"]

    again = reopened(pooled)
    await again.receiver.registrar.start()

    assert (names(again), listed(again).number) == (["ann", "bob"], number)
    again.close()


async def test_a_raised_epoch_publishes_the_list_anew(pooled: Parts) -> None:
    """After a restored backup: its generations may have been given before, with other bytes."""
    await add(pooled, "ann")
    state = replace(pooled.state, epoch=1_795_000_000)
    await pooled.driver.stored(lambda store: store.save(state, None, [], at=NOON, who="restore"))

    again = reopened(pooled)
    await again.receiver.registrar.start()

    assert (names(again), listed(again).number) == (["ann"], (1_795_000_000, 2))
    again.close()


async def test_a_rotated_key_signs_the_list_anew(
    pooled: Parts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And the old bytes are not shown meanwhile; that is no fault of the store's."""
    await add(pooled, "ann")
    monkeypatch.setattr("tests.failover_receiver.parts.SIGNER", SIGNER.successor(fleet=FLEET, now=NOON))

    again = reopened(pooled)
    silent = again.receiver.client_list.shown
    await again.receiver.registrar.start()

    assert (silent, facts(caplog.records, "client list in the store is not usable")) == (None, [])
    assert (names(again), listed(again).number) == (["ann"], (1, 2))
    again.close()


# When something fails.


async def test_while_the_store_is_unavailable_nothing_changes(pooled: Parts) -> None:
    """Whoever asked may ask again, and then it is done."""
    await add(pooled, "ann")
    pooled.clock.now += 9.0
    pooled.file._db.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(pooled.receiver.settings.store_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreUnavailableError):
        await add(pooled, "bob", first=2)
    kept = (list(pooled.receiver.registrar.roll.clients), names(pooled))
    other.close()
    await add(pooled, "bob", first=2)

    assert kept == (["ann"], ["ann"])
    assert (names(pooled), listed(pooled).number) == (["ann", "bob"], (1, 2))


async def test_a_list_that_could_not_be_kept_is_tried_again(
    pooled: Parts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What waited for its mark is not forgotten."""
    monkeypatch.setattr(registrar_module, "RETRY_SECONDS", 0.01)
    await add(pooled, "ann")
    await add(pooled, "bob", first=2)
    pooled.file._db.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(pooled.receiver.settings.store_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    async with asyncio.timeout(LIMIT):
        while not facts(caplog.records, "client list not kept"):
            await pooled.driver.stored(lambda store: store.events(1))
    other.close()

    await until_listed(pooled, "ann", "bob")


async def test_a_request_that_hangs_up_is_carried_out_all_the_same(pooled: Parts) -> None:
    """Or the store would know a client that the roll does not."""
    asking = asyncio.create_task(add(pooled, "ann"))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    await until(pooled, lambda: pooled.receiver.client_list.shown is not None)
    assert (names(pooled), list(pooled.receiver.registrar.roll.clients)) == (["ann"], ["ann"])


async def test_a_list_that_workers_would_refuse_is_told(
    pooled: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    """When many clients are gone from the tables and nobody revoked them."""
    await add(pooled, *(f"c{number}" for number in range(9)))
    pooled.clock.now += 9.0
    await add(pooled, "last", first=99)
    await pooled.driver.stored(lambda store: store.rows("DELETE FROM clients WHERE name LIKE 'c%'"))

    again = reopened(pooled)
    await again.receiver.registrar.start()

    assert names(again) == ["last"]
    (fact,) = facts(caplog.records, "workers will refuse the client list")
    assert "would remove 9 of 10 clients at once, and nobody revoked c0, c1, c2 and 6 more" in str(
        fact["reason"]
    )
    again.close()


# Workers.


async def test_a_worker_may_not_take_what_a_client_has(pooled: Parts) -> None:
    """Name, key and address are one space."""
    await add(pooled, "ann")
    registrar, free = pooled.receiver.registrar, spec(9)

    registrar.check_worker("fra1", free)
    for name, other, error in (
        ("ann", free, "name 'ann' is already that of a client: choose another"),
        ("fra1", replace(free, public_key=key(1)), f"public_key '{key(1)}' is already that of client 'ann'"),
        (
            "fra1",
            replace(free, tunnel_addresses=("10.88.0.1", "fd99::1")),
            "tunnel_addresses: fd99::1 is that of client 'ann': choose another",
        ),
    ):
        with pytest.raises(RefusedError) as caught:
            registrar.check_worker(name, other)
        assert str(caught.value) == error


async def test_who_is_behind_is_known_after_a_restart(pooled: Parts) -> None:
    """Every worker that ever applied a list, unless it is gone or banned; one that never did has no peers of ours."""
    await pooled.serve("ams1", "fra1", "lon1", "mad1")
    registrar = pooled.receiver.registrar
    for worker, number in (("ams1", (1, 4)), ("fra1", (1, 5)), ("lon1", (1, 3)), ("gone", (1, 1))):
        await registrar.acked(worker, number)
    await registrar.acked("lon1", (1, 4))

    again = reopened(pooled)

    assert again.receiver.registrar.behind((1, 5)) == ["ams1", "lon1"]
    assert again.receiver.registrar.acks["lon1"] == (1, 4)
    again.close()


async def test_the_list_survives_a_document_that_is_not_readable(pooled: Parts) -> None:
    """It is made anew from the tables, under a new number."""
    await add(pooled, "ann")
    head = shown(pooled).document.body.split(b".")[0]
    broken = replace(shown(pooled).document, body=head + b".e30.AAAA", type=TYPE)
    await pooled.receiver.registrar.write(lambda store, db: store.put(db, broken))

    again = reopened(pooled)
    await again.receiver.registrar.start()

    assert (names(again), listed(again).number) == (["ann"], (1, 2))
    again.close()
