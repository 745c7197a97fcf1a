"""Tests of what receivers tell each other of acks: by the clock of whoever took one, in whichever order they are told."""

import psycopg
import pytest

from failover_receiver.access import Role, digest
from failover_receiver.acks import Ack
from failover_receiver.replicas.exchange import _write_acks
from failover_receiver.replicas.replica import Replica
from failover_receiver.replicas.told import Said, read
from failover_receiver.store.dsn import Dsn
from tests.failover_receiver.parts import NOON, TOKENS
from tests.replicas.conftest import Pair

pytestmark = pytest.mark.anyio
ORDERS = [("w1", "w2"), ("w2", "w1")]
LATER = "w2"


def said(active: str) -> Said:
    """The client uses this worker; one of the two it said a moment after the other."""
    at = NOON + 0.001 if active == LATER else NOON
    return Said(Role.CLIENT, "client", digest(TOKENS[Role.CLIENT]), Ack(1, 1, active, at))


@pytest.mark.parametrize("order", ORDERS)
async def test_the_later_ack_stays_in_the_store(pair: Pair, order: tuple[str, str]) -> None:
    """Whichever receiver tells first."""
    async with await psycopg.AsyncConnection.connect(pair.uri, autocommit=True) as db:
        for active in order:
            await _write_acks(db, [said(active)])

    ((*row,),) = pair.one.store.rows("SELECT role, name, digest, said FROM acks")
    assert read(*row) == said(LATER)


@pytest.mark.parametrize("order", ORDERS)
async def test_the_later_ack_is_remembered(pair: Pair, order: tuple[str, str]) -> None:
    """By a receiver that hears of both."""
    replica = Replica(Dsn.parse(pair.uri), "one", pair.one.clock)
    replica.serve(pair.one.receiver)

    for active in order:
        replica.overhear_ack(said(active))

    assert pair.one.receiver.acks == {"client": said(LATER).ack}
