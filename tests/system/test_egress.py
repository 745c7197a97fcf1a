"""A worker whose tunnel answers and leads nowhere: its own word takes it out, and lets it in again."""

import time
from collections.abc import Iterator

import pytest

from tests.lab.fleet import Fleet, Profile
from tests.lab.waiting import wait_until
from tests.system.conftest import HOLD_DOWN_SECONDS

pytestmark = pytest.mark.system
LIMIT = 60.0
DEGRADED = "WireGuardWorkerDegraded"


@pytest.fixture(scope="module")
def probing() -> Iterator[Fleet]:
    """The whole system, with exporters that probe what lies beyond their workers; serving."""
    profile = Profile(interval="1s", hold_down=HOLD_DOWN_SECONDS, hold_down_factor=1.0, egress=True)
    with Fleet(profile) as fleet:
        fleet.wait_until_serving()
        yield fleet


def egress(fleet: Fleet, worker: str) -> list[str]:
    """What the worker says of what lies beyond it, by the newest sample; empty if it says nothing."""
    answer = fleet.query(f'wireguard_worker_egress_up{{job="wgfleet-worker",worker="{worker}"}}')
    return [one["value"][1] for one in answer]


def test_a_worker_without_nat_is_left_and_comes_back_once_it_is_mended(probing: Fleet) -> None:
    """Its tunnel answers all the while: down as degraded, clients by others, then hold-down and serving."""
    fleet = probing
    worker = fleet.active("c1")
    assert worker
    users = fleet.users(worker)
    traffics = {name: fleet.network.client(name).traffic() for name in users}
    for traffic in traffics.values():
        traffic.wait_until_flowing(via=worker)
    wait_until(lambda: egress(fleet, worker) == ["1"], LIMIT, f"{worker} to say that it reaches the service")
    receiver, broken = fleet.journal(fleet.receiver), time.time()

    fleet.network.worker(worker).break_nat()

    receiver.wait_for(
        "alert", since=broken, timeout=LIMIT, alertname=DEGRADED, worker=worker, status="firing"
    )
    fleet.wait_until_state(worker, "down", LIMIT)
    assert fleet.health()["workers"][worker]["reason"] == "worker_degraded"
    assert egress(fleet, worker) == ["0"]
    assert all(fleet.stations[0].probes(worker, "main", broken)), "through its tunnel it always answered"
    for client, traffic in traffics.items():
        move = fleet.journal(fleet.sync[client]).wait_for("moved", since=broken, timeout=LIMIT, before=worker)
        traffic.wait_until_flowing(LIMIT, via=str(move["worker"]))

    mended = time.time()
    fleet.network.worker(worker).mend_nat()
    fleet.wait_until_state(worker, "joining", LIMIT)
    assert fleet.health()["workers"][worker]["reason"] == "hold_down"
    fleet.wait_until_state(worker, "serving", LIMIT)
    assert [move for client in users for move in fleet.moves(client, since=mended)] == []
    assert receiver.lines("alert", since=broken, alertname="WireGuardWorkerDown", status="firing") == []


def test_an_exporter_that_dies_moves_nobody(probing: Fleet) -> None:
    """Without its word nothing follows: the tunnel answers, so the worker serves on."""
    fleet = probing
    fleet.wait_until_serving()
    worker = fleet.active("c1")
    assert worker
    killed = time.time()
    fleet.exporters[worker].kill()

    wait_until(lambda: not egress(fleet, worker), LIMIT, f"{worker}'s word to be gone")
    wait_until(lambda: failed_scrapes(fleet, worker, killed) >= 8, LIMIT, f"8 failed scrapes of {worker}")

    assert fleet.state(worker) == "serving"
    assert fleet.stations[0].firing("WireGuardWorkerUp") >= {worker}
    assert fleet.journal(fleet.receiver).lines("decided", since=killed) == []
    assert [move for client in fleet.network.clients for move in fleet.moves(client, since=killed)] == []
    fleet.exporters[worker].start()


def failed_scrapes(fleet: Fleet, worker: str, since: float) -> int:
    """How often Prometheus asked the worker's exporter in vain since then (UNIX seconds)."""
    series = fleet.query(f'up{{job="wgfleet-worker",worker="{worker}"}}[5m]')
    return sum(value == "0" and at > since for one in series for at, value in one["values"])
