"""Tests of whose database it is, and who may still write into it: another fleet, an older key, and who lost the fleet's lock."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from failover_receiver import setup
from failover_receiver.access import Role
from failover_receiver.opening import open_store, opened
from failover_receiver.registry.clients import Wish
from failover_receiver.settings import Settings
from failover_receiver.state import DrainWished, RefusedError, State, WorkerRegistered
from failover_receiver.store import ChangedError, StoreUnavailableError
from failover_receiver.store.dsn import Dsn
from failover_receiver.store.postgres import PostgresStore
from tests.failover_receiver.parts import FLEET, NOON, SIGNER, Parts
from tests.failover_receiver.story import spec
from tests.lab.postgres import Postgres
from tests.replicas.conftest import Pair
from wgfleet.clientlist import TYPE as CLIENT_LIST
from wgfleet.signing import Signer

pytestmark = pytest.mark.anyio
OTHERS = "the store holds fleet 'test', the configuration says 'other'"


@pytest.fixture
def moved(postgres: Postgres) -> Iterator[PostgresStore]:
    """A database as `move-store` leaves it: a fleet's, and no receiver has signed for it yet."""
    store = PostgresStore(Dsn.parse(postgres.database()))
    store.save(State(fleet=FLEET, generation=7), None, [], at=NOON, who="move-store")
    yield store
    store.close()


def settings(store: PostgresStore, directory: Path, fleet: str) -> Settings:
    """Of a receiver on that database."""
    return Settings(fleet=fleet, store=store.dsn, signing_key_file=directory / "key")


def kept(store: PostgresStore) -> list[tuple[object, ...]]:
    """All that a receiver changes when it comes."""
    return [
        *store.rows("SELECT number, signer FROM versions WHERE what = 'state'"),
        *store.rows("SELECT body FROM state"),
        *store.rows("SELECT count(*) FROM events"),
        *store.rows("SELECT count(*) FROM tokens"),
    ]


async def put_client(parts: Parts, name: str, number: int) -> None:
    """An operator adds a client, whose key and address are those of that number."""
    described = spec(number)
    wish = Wish(name, described.public_key, described.tunnel_addresses)
    await parts.receiver.registrar.change(lambda draft: draft.put(wish), who="operator")


async def caught_up(pair: Pair) -> None:
    """Both have their turn: each reads what the other has left."""
    for parts in (pair.one, pair.other):
        await parts.driver.catch_up()
        await parts.receiver.registrar.catch_up()


def test_another_fleets_receiver_is_sent_away_and_leaves_no_trace(
    moved: PostgresStore, tmp_path: Path
) -> None:
    """Whatever its key: signed for by a stranger, the database would send its own receivers away."""
    before = kept(moved)

    with pytest.raises(ValueError, match=OTHERS):
        open_store(settings(moved, tmp_path, "other"), Signer.generate())

    assert kept(moved) == before
    store, _ = open_store(settings(moved, tmp_path, FLEET), SIGNER)
    store.close()


def test_whoever_comes_first_has_an_empty_database(postgres: Postgres, tmp_path: Path) -> None:
    """Before anything was decided there; another fleet with the same key is sent away."""
    empty = PostgresStore(Dsn.parse(postgres.database()))
    first, _ = open_store(settings(empty, tmp_path, FLEET), SIGNER)

    with pytest.raises(ValueError, match=OTHERS):
        open_store(settings(empty, tmp_path, "other"), SIGNER)

    for store in (empty, first):
        store.close()


def test_no_command_of_another_fleet_makes_a_token_there(moved: PostgresStore, tmp_path: Path) -> None:
    """`wgfleet-receiver token` with the wrong configuration: it would open this fleet."""
    with pytest.raises(ValueError, match=OTHERS), opened(settings(moved, tmp_path, "other")) as store:
        setup.make_token_in(store, "alice", Role.OPERATOR, now=NOON)

    assert moved.tokens.all() == []


async def test_who_runs_decides_nothing_in_a_database_that_became_another_fleets(pair: Pair) -> None:
    """Restored from the wrong dump while receivers ran."""
    await pair.one.serve("fra1")
    with psycopg.connect(pair.uri, autocommit=True) as db:
        db.execute("""UPDATE state SET body = replace(body, '"fleet":"test"', '"fleet":"other"')""")

    with pytest.raises(StoreUnavailableError, match="holds fleet 'other', the configuration says 'test'"):
        await pair.one.driver.take(DrainWished("fra1", drain=True), who="operator")
    with pytest.raises(StoreUnavailableError, match="holds fleet 'other'"):
        await pair.other.driver.catch_up()


async def test_who_has_another_key_publishes_no_client_list(pair: Pair) -> None:
    """Workers that follow the new key would refuse it, and its number would be gone."""
    await caught_up(pair)
    await put_client(pair.one, "phone", 9)
    _, other = pair.stores()
    document = other.document(CLIENT_LIST)
    other.take_over(FLEET, "rotated", {SIGNER.key_id}, now=NOON)

    with pytest.raises(StoreUnavailableError, match="documents are signed with key rotated now"):
        await put_client(pair.one, "tablet", 8)

    assert other.document(CLIENT_LIST) == document
    assert set(other.clients.roll().clients) == {"phone"}


async def test_a_new_key_waits_for_what_is_written_with_the_old_one(pair: Pair) -> None:
    """Or a list that was signed before would be kept after. Decisions need not wait for the same."""
    await pair.one.serve("fra1")
    one, other = pair.stores()
    other.rows("SELECT set_config('lock_timeout', '50', false)")

    with one.available(), one.transaction() as db:
        db.execute("DELETE FROM sessions")
        with pytest.raises(StoreUnavailableError, match="lock timeout"):
            other.take_over(FLEET, "rotated", {SIGNER.key_id}, now=NOON)
        state = await pair.other.driver.take(DrainWished("fra1", drain=True), who="operator")

    assert state.workers["fra1"].drain


async def test_who_lost_the_lock_registers_no_worker_with_a_clients_key(pair: Pair) -> None:
    """Frozen with the lock until another had its turn, it does not know of that client yet."""
    await caught_up(pair)
    await put_client(pair.other, "phone", 9)

    with pytest.raises(ChangedError, match="another receiver has changed the roll meanwhile: ask again"):
        await pair.one.receiver.registrar.register(WorkerRegistered("fra1", spec(9)), who="operator")

    await caught_up(pair)
    with pytest.raises(RefusedError, match="is already that of client 'phone'"):
        await pair.one.receiver.registrar.register(WorkerRegistered("fra1", spec(9)), who="operator")


async def test_who_lost_the_lock_adds_no_client_with_a_workers_key(pair: Pair) -> None:
    """The other way round: a registration counts as a change of the roll."""
    await caught_up(pair)
    await pair.other.receiver.registrar.register(WorkerRegistered("fra1", spec(9)), who="operator")

    with pytest.raises(ChangedError, match="another receiver has changed the list or roll meanwhile"):
        await put_client(pair.one, "phone", 9)

    await caught_up(pair)
    with pytest.raises(RefusedError, match="is already that of worker 'fra1'"):
        await put_client(pair.one, "phone", 9)


async def test_one_that_registers_again_and_again_is_in_nobodys_way(pair: Pair) -> None:
    """Its own registration is no news to it."""
    await caught_up(pair)
    registrar = pair.one.receiver.registrar

    for number in (1, 2):
        await registrar.register(WorkerRegistered(f"w{number}", spec(number)), who="operator")
    await put_client(pair.one, "phone", 9)

    assert set(pair.one.state.workers) == {"w1", "w2"}
