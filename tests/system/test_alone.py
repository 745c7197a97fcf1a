"""With the whole control plane dead: clients leave a dead worker by themselves, and no other."""

import time
from collections.abc import Iterator

import pytest

from tests.lab import worn
from tests.lab.fleet import Fleet, Profile
from tests.lab.traffic import Traffic

pytestmark = pytest.mark.system
LIMIT = 60.0


@pytest.fixture(scope="module")
def alone() -> Iterator[Fleet]:
    """Clients that judge for themselves; whoever could have told them is dead."""
    with Fleet(Profile(local_failover=True)) as fleet:
        fleet.wait_until_serving()
        fleet.end_the_control_plane()
        fleet.wait_until_warm()
        yield fleet


@pytest.fixture(scope="module")
def traffic(alone: Fleet) -> Traffic:
    """Of one client; the other is idle."""
    sent = alone.network.client("c1").traffic()
    sent.wait_until_flowing()
    return sent


@pytest.mark.parametrize("how", ["kill", "freeze", "cut_off", "unplug"])
def test_a_dead_worker_is_left_once_by_all_its_clients(alone: Fleet, traffic: Traffic, how: str) -> None:
    """However it died, whether the client sends anything or not."""
    alone.wait_until_warm()
    worker = alone.active("c1") or ""
    users = alone.users(worker)
    machine = alone.network.worker(worker)
    struck = time.time()

    getattr(machine, how)()

    for client in users:
        moved = alone.journal(alone.sync[client]).wait_for("moved", since=struck, timeout=LIMIT)
        assert (moved["before"], moved["reason"]) == (worker, "silent")
    traffic.wait_until_flowing(LIMIT)
    assert [len(alone.moves(client, since=struck)) for client in users] == [1] * len(users)
    {"kill": machine.restart, "freeze": machine.thaw, "cut_off": machine.mend, "unplug": machine.plug_in}[
        how
    ]()


def test_a_client_that_starts_anew_comes_up_without_any_receiver(alone: Fleet, traffic: Traffic) -> None:
    """From its last good document; what carries the traffic goes on."""
    alone.wait_until_warm()
    before = alone.active("c1")
    daemon = alone.sync["c1"]
    daemon.terminate()
    began = time.time()

    daemon.launch()

    alone.journal(daemon).wait_for("receiver lost", since=began, timeout=LIMIT)
    assert alone.active("c1") == before
    traffic.wait_until_flowing(LIMIT)


def test_a_worn_path_moves_nobody(alone: Fleet) -> None:
    """A tenth of the packets is lost each way, and each is held up; a slice of what the bench does for minutes."""
    alone.wait_until_warm()
    endpoints = [worker.endpoint for worker in alone.network.workers]
    client = alone.network.client("c1")
    with worn.path(client, endpoints, loss=0.1, jitter=0.1):
        began = time.time()
        worn_traffic = client.traffic()
        worn_traffic.wait_until_flowing()
        time.sleep(8.0)  # For what must not come there is no event.
        assert alone.moves("c1", since=began) == []


def test_nothing_ever_left_a_tunnel_in_clear(alone: Fleet) -> None:
    """After all of the above."""
    assert alone.network.underlay.leaked() == 0
