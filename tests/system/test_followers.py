"""Clients that know a follower's URL and no other: they are led as those of the receiver itself are."""

from collections.abc import Iterator

import httpx
import pytest

from tests.lab import followers
from tests.lab.failover import fail_over
from tests.lab.fleet import FLEET, Fleet
from tests.lab.process import Process
from tests.lab.traffic import Traffic
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.system
LIMIT = 60.0


@pytest.fixture
def follower(fleet: Fleet) -> Iterator[Process]:
    """One on the monitoring host, and one client that knows nothing else; both as they were afterwards."""
    host = fleet.network.monitoring
    home = fleet.network.directory / "follower"
    process = followers.start(fleet.api.call, host, home, fleet.receiver_url, fleet=FLEET)
    configuration = fleet.network.directory / "c1.sync" / "sync.toml"
    before = configuration.read_text()
    sync = fleet.sync["c1"]
    configuration.write_text(before.replace(fleet.receiver_url, followers.url(host)))
    again(sync)
    yield process
    configuration.write_text(before)
    again(sync)
    process.kill()
    fleet.api.call("DELETE", "/v1/tokens/edge1")


def heard(fleet: Fleet) -> dict[str, int]:
    """By acks: how many clients use each worker."""
    return {name: said["clients"] for name, said in fleet.health()["workers"].items()}


def users(fleet: Fleet) -> dict[str, int]:
    """By their interfaces."""
    return {worker.name: len(fleet.users(worker.name)) for worker in fleet.network.workers}


def again(sync: Process) -> None:
    """Start a client's daemon anew, with what its configuration says now."""
    sync.terminate()
    sync.start()


def test_a_client_of_a_follower_leaves_a_worker_that_dies(
    fleet: Fleet, follower: Process, traffics: dict[str, Traffic]
) -> None:
    """As the receiver's own client does; and the receiver hears by its acks where it is."""
    worker = fleet.active("c1")
    assert worker
    fleet.journal(follower).wait_for("taken", since=0.0, timeout=LIMIT)

    told = fail_over(fleet, worker, traffics, timeout=LIMIT)

    assert told.applied["c1"] >= told.published
    assert fleet.active("c1") != worker
    wait_until(lambda: heard(fleet) == users(fleet), LIMIT, "the receiver to hear who is where")
    fleet.network.worker(worker).restart()
    fleet.wait_until_serving()


def test_with_the_receiver_gone_a_client_may_start_by_a_follower(fleet: Fleet, follower: Process) -> None:
    """The follower serves what it has, and says that it is alone."""
    host = fleet.network.monitoring
    door = host.forward(followers.PORT, address=host.address)
    fleet.receiver.kill()
    try:
        ready = f"http://127.0.0.1:{door.port}/readyz"
        wait_until(lambda: httpx.get(ready).json()["status"] == "alone", LIMIT, "the follower to notice")
        again(fleet.sync["c1"])  # It is ready once it follows.
    finally:
        fleet.receiver.start()
    wait_until(lambda: httpx.get(ready).json()["status"] == "live", LIMIT, "the follower to follow again")
    assert follower.alive
