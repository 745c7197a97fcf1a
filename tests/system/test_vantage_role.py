"""The monitoring host's tunnels are the daemon's: Prometheus probes through them, and nobody sets a peer by hand."""

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from tests.lab.fleet import Fleet, Profile
from tests.lab.machines import Monitoring, Worker
from tests.lab.process import Process
from tests.lab.vantage import hand_over
from tests.lab.waiting import wait_until
from tests.system.conftest import HOLD_DOWN_SECONDS

pytestmark = pytest.mark.system
LIMIT = 60.0


@pytest.fixture(scope="module")
def handed_over() -> Iterator[tuple[Fleet, Process]]:
    """A fleet that serves, and the vantage's daemon."""
    profile = Profile(interval="1s", hold_down=HOLD_DOWN_SECONDS, hold_down_factor=1.0)
    with Fleet(profile, clients=1) as fleet:
        fleet.wait_until_serving()
        yield fleet, hand_over(fleet, fleet.network.monitoring)


@pytest.fixture
def vantage(handed_over: tuple[Fleet, Process]) -> Process:
    """The daemon, all workers serving."""
    handed_over[0].wait_until_serving()
    return handed_over[1]


@pytest.fixture
def fleet(handed_over: tuple[Fleet, Process]) -> Fleet:
    """The fleet."""
    return handed_over[0]


def allowed_ips(host: Monitoring) -> dict[str, tuple[str, ...]]:
    """What the vantage's interface has, by public key."""
    return {peer.public_key: peer.allowed_ips for peer in host.wg0.device().peers}


def is_probed_well(fleet: Fleet, worker: Worker, since: float) -> bool:
    """Whether a probe through its tunnel, made after that, was answered."""
    name = worker.name
    found = fleet.query(f'timestamp(probe_success{{job="wgfleet-tunnel",worker="{name}"}} == 1)')
    return any(float(sample["value"][1]) > since for sample in found)


def test_each_worker_is_a_peer_with_its_own_address_and_nothing_else(fleet: Fleet, vantage: Process) -> None:
    """No routed prefix is ever the vantage's, whichever worker carries the clients' traffic."""
    assert vantage.alive

    wanted = {worker.public_key: (f"{worker.tunnel_address}/32",) for worker in fleet.network.workers}
    wait_until(lambda: allowed_ips(fleet.network.monitoring) == wanted, LIMIT, "its peers to be the workers")


def test_a_worker_that_restarted_is_probed_again(fleet: Fleet, vantage: Process) -> None:
    """It knows nothing of the session, and not where the vantage is: that one makes the session anew."""
    worker = fleet.network.worker("w1")
    key = fleet.network.monitoring.public_key
    worker.wg0.peers = [
        replace(peer, endpoint=None, persistent_keepalive=None) if peer.public_key == key else peer
        for peer in worker.wg0.peers
    ]
    restarted = time.time()

    worker.restart()

    fleet.journal(vantage).wait_for(
        "standby silent, session made anew", since=restarted, timeout=LIMIT, worker="w1"
    )
    wait_until(partial(is_probed_well, fleet, worker, time.time()), LIMIT, "a probe through the new session")
    fleet.wait_until_serving()


def test_a_worker_that_is_added_has_its_tunnel_with_no_hand_on_the_monitoring_host(
    fleet: Fleet, vantage: Process
) -> None:
    """It is told to the receiver: Prometheus discovers it, the daemon adds its peer, and it comes to serve."""
    assert vantage.alive
    added = time.time()

    worker = fleet.add_worker(watched=False)

    wait_until(partial(is_probed_well, fleet, worker, added), LIMIT, "a probe through its tunnel")
    assert allowed_ips(fleet.network.monitoring)[worker.public_key] == (f"{worker.tunnel_address}/32",)
    fleet.wait_until_state(worker.name, "serving")


def test_a_vantage_counts_as_no_client(fleet: Fleet, vantage: Process) -> None:
    """Neither as one that uses a worker, nor as one that is behind."""
    assert vantage.alive

    heard = fleet.query("wgfleet_receiver_clients")

    assert [float(sample["value"][1]) for sample in heard] == [1.0]
