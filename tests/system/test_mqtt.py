"""Clients that follow an MQTT broker, on real WireGuard: the alert's way goes on by it, and by the receiver while it is down."""

import time
from collections.abc import Iterator

import pytest

from tests.lab.brokers import Broker
from tests.lab.failover import fail_over
from tests.lab.fleet import Fleet, Profile
from tests.lab.traffic import Traffic
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.system
LIMIT = 60.0


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """Whose receiver publishes to mosquitto, over TLS, and whose clients follow that."""
    with Fleet(Profile(interval="1s", hold_down=1.0, hold_down_factor=1.0, broker=True)) as up:
        yield up


@pytest.fixture
def broker(fleet: Fleet) -> Broker:
    """The fleet's."""
    assert fleet.broker is not None
    return fleet.broker


def heard_by(fleet: Fleet) -> set[str]:
    """How clients hear documents."""
    return {str(fleet.sees(client)["heard_by"]) for client in fleet.network.clients}


def wait_until_heard_by(fleet: Fleet, way: str) -> None:
    """Wait until all clients hear documents so."""
    wait_until(lambda: heard_by(fleet) == {way}, LIMIT, f"clients to hear by {way}")


def mend(fleet: Fleet, worker: str) -> None:
    """Bring a worker back, so that the fleet is as it was."""
    fleet.network.worker(worker).restart()
    fleet.wait_until_serving()


def test_a_killed_worker_is_left_by_clients_that_follow_the_broker(
    fleet: Fleet, traffics: dict[str, Traffic]
) -> None:
    """Alert, webhook, receiver, broker, client; nobody follows the receiver, which is told what is applied all the same."""
    worker = fleet.active("c1")
    assert worker
    wait_until_heard_by(fleet, "broker")

    told = fail_over(fleet, worker, traffics, timeout=LIMIT)

    assert told.traffic > told.published
    assert fleet.users(worker) == []
    assert heard_by(fleet) == {"broker"}
    for client in fleet.network.clients:
        assert not fleet.journal(fleet.sync[client]).lines("following", by="stream")

    def all_counted() -> bool:
        counted: int = sum(one["clients"] for one in fleet.health()["workers"].values())
        return counted == len(fleet.network.clients)

    wait_until(all_counted, LIMIT, "the receiver to be told by every client")
    mend(fleet, worker)


def test_while_the_broker_is_down_clients_follow_the_receiver(
    fleet: Fleet, traffics: dict[str, Traffic], broker: Broker
) -> None:
    """A worker's death then is heard there; the broker that is back has the newest document, and is followed again."""
    wait_until_heard_by(fleet, "broker")
    worker = fleet.active("c1")
    assert worker
    broker.process.kill()
    wait_until_heard_by(fleet, "stream")

    fail_over(fleet, worker, traffics, timeout=LIMIT)
    assert fleet.users(worker) == []

    back = time.time()
    broker.process.start()
    fleet.journal(fleet.receiver).wait_for("publishing again", since=back, timeout=LIMIT, publisher="mqtt")
    wait_until_heard_by(fleet, "broker")
    mend(fleet, worker)
