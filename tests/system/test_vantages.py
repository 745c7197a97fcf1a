"""Two monitoring hosts: one that is cut off or dead moves nobody, and hides no worker that dies."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from tests.lab.failover import DOWN
from tests.lab.fleet import Fleet, Profile
from tests.lab.machines import Worker
from tests.lab.monitoring import Station
from tests.lab.traffic import Traffic
from tests.lab.waiting import wait_until
from tests.system.conftest import HOLD_DOWN_SECONDS

pytestmark = pytest.mark.system
LIMIT = 60.0
UP, BLIND = "WireGuardWorkerUp", "WireGuardVantageBlind"

ENOUGH = 8
"""Probes in a row, all failed: three would take a worker out. So many that a late alert would have come, too."""


@pytest.fixture(scope="module")
def whole_pair() -> Iterator[Fleet]:
    """The whole system with two monitoring hosts, up."""
    profile = Profile(interval="1s", hold_down=HOLD_DOWN_SECONDS, hold_down_factor=1.0, vantages=2)
    with Fleet(profile) as fleet:
        yield fleet


@pytest.fixture
def pair(whole_pair: Fleet) -> Iterator[Fleet]:
    """The same with all workers serving, seen so by both Prometheis, and the Alertmanagers one cluster.

    Whatever a story has broken is mended after it.
    """
    whole_pair.wait_until_serving()
    everybody = set(whole_pair.health()["workers"])
    for station in whole_pair.stations:
        wait_until_clustered(station)
        wait_until_seen_up(station, everybody)
    yield whole_pair
    mend(whole_pair)


@pytest.fixture
def traffics(pair: Fleet) -> Iterator[dict[str, Traffic]]:
    """Every client's traffic, flowing."""
    started = {name: client.traffic() for name, client in pair.network.clients.items()}
    for traffic in started.values():
        traffic.wait_until_flowing()
    yield started
    for traffic in started.values():
        traffic.stop()


def mend(fleet: Fleet) -> None:
    """Every way open, every daemon and every worker up."""
    fleet.network.underlay.rejoin()
    for host in fleet.network.vantages:
        host.mend()
    for station in fleet.stations:
        for daemon in (station.blackbox, station.alertmanager, station.prometheus):
            if not daemon.alive:
                daemon.start()
    for worker in fleet.network.workers:
        if not worker.wg0.alive:
            worker.restart()


def wait_until_clustered(station: Station) -> None:
    wait_until(lambda: station.cluster()[1] == 2, LIMIT, f"{station.vantage}'s Alertmanager to see the other")


def wait_until_seen_up(station: Station, workers: set[str]) -> None:
    what = f"{station.vantage}'s Prometheus to see all up: {workers}"
    wait_until(lambda: station.firing(UP) == workers, LIMIT, what)


def wait_until_failed_in_vain(station: Station, worker: str, vantage: str, since: float) -> None:
    """Wait until this Prometheus holds so many failures from this vantage that it alone would have cried out."""

    def all_failed() -> bool:
        lately = station.probes(worker, vantage, since)[-ENOUGH:]
        return len(lately) == ENOUGH and not any(lately)

    what = f"{ENOUGH} failed probes of {worker} from {vantage} at {station.vantage}"
    wait_until(all_failed, LIMIT, what)


@contextmanager
def nobody_moves(fleet: Fleet, traffics: dict[str, Traffic]) -> Iterator[float]:
    """Nothing is decided and no client moves from now on to the block's end, which has this moment (UNIX seconds)."""
    began = time.time()
    yield began
    assert fleet.journal(fleet.receiver).lines("decided", since=began) == []
    assert [move for client in traffics for move in fleet.moves(client, since=began)] == []
    for traffic in traffics.values():
        traffic.wait_until_flowing()
        assert traffic.outage(began).seconds < 1.0


def parted_workers(fleet: Fleet, how_many: str) -> Sequence[Worker]:
    """All, or the one that a client uses."""
    in_use = fleet.active("c1")
    return [worker for worker in fleet.network.workers if how_many == "all" or worker.name == in_use]


@pytest.mark.parametrize("how_many", ["one", "all"])
@pytest.mark.parametrize("cut", [0, 1], ids=["the receiver's host", "the other host"])
def test_a_worker_seen_by_one_of_two_vantages_is_neither_down_nor_up(
    pair: Fleet, traffics: dict[str, Traffic], cut: int, how_many: str
) -> None:
    """One monitoring host loses its way to some or all workers: both Prometheis stay silent on them, nobody moves."""
    host, vantage = pair.network.vantages[cut], pair.stations[cut].vantage
    workers = parted_workers(pair, how_many)
    names = {worker.name for worker in workers}
    with nobody_moves(pair, traffics) as began:
        pair.network.underlay.part(host, *workers)
        for station in pair.stations:
            for name in names:
                wait_until_failed_in_vain(station, name, vantage, began)
            assert station.firing(DOWN) == set()
            assert station.firing(UP) & names == set()
        assert {pair.state(name) for name in names} == {"serving"}
        pair.network.underlay.rejoin()
        for station in pair.stations:
            wait_until_seen_up(station, set(pair.health()["workers"]))


@pytest.mark.parametrize("cut", [0, 1], ids=["the receiver's host", "the other host"])
def test_a_monitoring_host_that_is_cut_off_from_everything_moves_nobody(
    pair: Fleet, traffics: dict[str, Traffic], cut: int
) -> None:
    """Its own Prometheus sees all workers fail and says that it is blind; nobody moves then, nor when it is back."""
    host, station, other = pair.network.vantages[cut], pair.stations[cut], pair.stations[1 - cut]
    with nobody_moves(pair, traffics) as began:
        host.cut_off()
        for worker in pair.network.workers:
            wait_until_failed_in_vain(station, worker.name, station.vantage, began)
        assert station.firing(BLIND)
        assert station.firing(DOWN) == set()
        assert not other.firing(BLIND)
        host.mend()
        pair.wait_until_serving()
        for each in pair.stations:
            wait_until_seen_up(each, set(pair.health()["workers"]))


def test_a_worker_that_dies_is_found_while_a_monitoring_host_is_cut_off(
    pair: Fleet, traffics: dict[str, Traffic]
) -> None:
    """What one host cannot see, the other one reports."""
    began = time.time()
    pair.network.vantages[1].cut_off()
    wait_until_failed_in_vain(pair.stations[1], "w1", "mon2", began)

    dies_and_is_left(pair, traffics)


@pytest.mark.parametrize("dead", [0, 1], ids=["the first", "the second"])
def test_a_worker_that_dies_is_found_though_one_prometheus_is_dead(
    pair: Fleet, traffics: dict[str, Traffic], dead: int
) -> None:
    """Its alerts are the other's alerts, too; so not even its absence is noticed."""
    pair.stations[dead].prometheus.kill()
    dies_and_is_left(pair, traffics)


def test_a_worker_that_dies_is_found_though_the_first_alertmanager_is_dead(
    pair: Fleet, traffics: dict[str, Traffic]
) -> None:
    """The one whose turn it is to speak first: the other one speaks instead."""
    first = min(pair.stations, key=lambda station: station.cluster()[0])
    assert first.cluster()[0] == 0
    first.alertmanager.kill()
    dies_and_is_left(pair, traffics)


def test_a_worker_that_dies_is_found_though_a_whole_monitoring_host_is_dead(
    pair: Fleet, traffics: dict[str, Traffic]
) -> None:
    """Without its probes, its rules and its deliveries, the other host decides alone."""
    station = pair.stations[1]
    for daemon in (station.blackbox, station.alertmanager, station.prometheus):
        daemon.kill()
    dies_and_is_left(pair, traffics)


def dies_and_is_left(fleet: Fleet, traffics: dict[str, Traffic]) -> None:
    """The worker that c1 uses dies: it is published as down, and its clients have traffic by others."""
    worker = fleet.active("c1")
    assert worker
    users = fleet.users(worker)
    killed = time.time()
    fleet.network.worker(worker).kill()
    fleet.wait_until_state(worker, "down", LIMIT)
    assert fleet.health()["monitoring"] == "live"
    for client in users:
        move = fleet.journal(fleet.sync[client]).wait_for("moved", since=killed, timeout=LIMIT, before=worker)
        traffics[client].wait_until_flowing(via=str(move["worker"]))
