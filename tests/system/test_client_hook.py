"""Workers' daemons in a fleet.

Where workers do not masquerade, the return route follows the client by the hook, and its TCP connection survives a drain.
A worker that is stopped drains itself first.
"""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.lab.addresses import SERVICE
from tests.lab.bare import BareClient
from tests.lab.fleet import Fleet, Profile
from tests.lab.hooked import DRAIN_SECONDS, way_back, without_nat
from tests.lab.host import Host
from tests.lab.machines import Client
from tests.lab.own import OwnClient
from tests.lab.perworker import PerWorkerClient, listen, stream
from tests.lab.process import Process
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.system
LIMIT = 30.0
STATEFUL = """
table inet wary {
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state invalid drop
    ct state established accept
    iifname "wg0" accept
  }
}
"""
"""What nobody on the worker's WireGuard began, or what is not of its past as far as this worker saw it, is dropped."""


class Strict(BareClient):
    """It drops what comes by another interface than an answer would take, as some distributions have it."""

    def set_up(self, underlay: Host, service: Host) -> None:
        """Before there is any interface into a tunnel."""
        super().set_up(underlay, service)
        for where in ("all", "default", "eth0"):
            self.sysctl(f"net.ipv4.conf.{where}.rp_filter", 1)


class Own(Strict, OwnClient):
    """Its daemon makes its one interface."""


class Probing(Strict, PerWorkerClient):
    """It asks the service through each worker; all answers come back through the active one."""

    def settings(self) -> dict[str, object]:
        """With a target beyond."""
        return {**super().settings(), "probe_target": SERVICE}


class Following(Strict, PerWorkerClient):
    """Its connections go where their way back goes."""

    def settings(self) -> dict[str, object]:
        """Nothing is kept on a worker that is left."""
        return {**super().settings(), "drain_deadline": 0}


BOTH = pytest.mark.parametrize("fleet", [Client, Probing], ids=["single", "per-worker"], indirect=True)
PER_WORKER = pytest.mark.parametrize("fleet", [Probing], ids=["per-worker"], indirect=True)
SINGLE = pytest.mark.parametrize("fleet", [Client], ids=["single"], indirect=True)
"""With an interface for each worker, a worker is not empty before its last connection has ended."""


@pytest.fixture(scope="module")
def fleet(request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """Two workers whose packets keep the client's address, for a client of each layout."""
    profile = Profile(interval="1s", hold_down=3.0, hold_down_factor=1.0, client=request.param)
    with Fleet(profile, workers=2, clients=1) as fleet:
        listen(fleet.network)
        yield fleet


@pytest.fixture(scope="module")
def daemons(fleet: Fleet) -> dict[str, Process]:
    """Of each worker."""
    started = without_nat(fleet)
    fleet.wait_until_serving()
    return started


@pytest.fixture
def _masquerading(fleet: Fleet) -> Iterator[None]:
    """The way back does not depend on the hook meanwhile."""
    for worker in fleet.network.workers:
        worker.mend_nat()
    yield
    for worker in fleet.network.workers:
        worker.break_nat()


@pytest.fixture
def _wary(fleet: Fleet) -> Iterator[None]:
    """Each worker has a stateful firewall meanwhile."""
    for worker in fleet.network.workers:
        worker.nft(STATEFUL)
    yield
    for worker in fleet.network.workers:
        worker.nft("delete table inet wary\n")


def wait_for_way_back(fleet: Fleet, worker: str) -> None:
    """Until the service's route to the client leads to this worker, and to no other."""
    address = fleet.network.worker(worker).lan_address
    wait_until(lambda: way_back(fleet, "c1").count(f"via {address} "), LIMIT, f"the way back by {worker}")
    assert way_back(fleet, "c1").count("via") == 1


def wait_for_more(talk: Process, lines: int = 100) -> None:
    """Until so many more lines of the connection were answered."""
    answered = len(talk.output().splitlines())
    wait_until(
        lambda: len(talk.output().splitlines()) > answered + lines, LIMIT, "answers: " + talk.output()[-40:]
    )
    assert talk.alive


@pytest.mark.parametrize("fleet", [Probing, Own], ids=["per-worker", "single"], indirect=True)
@pytest.mark.usefixtures("daemons")
def test_the_stream_of_documents_outlives_that_the_first_tunnels_are_made_around_it(fleet: Fleet) -> None:
    """Where rp_filter is strict what comes for it counts only if it is known by its mark, and it sends nothing any more."""
    in_use(fleet)
    standby = other(fleet)
    journal = fleet.journal(fleet.sync["c1"])

    numbered = fleet.api.call("PUT", f"/v1/workers/{standby}/drain")

    journal.wait_for("received", timeout=LIMIT, generation=numbered["generation"])
    fleet.api.call("DELETE", f"/v1/workers/{standby}/drain")
    assert len(journal.lines("following")) == 1


@BOTH
@pytest.mark.usefixtures("daemons")
def test_a_tcp_connection_survives_a_drain_because_its_way_back_moves_with_it(fleet: Fleet) -> None:
    """The hook alone moves the route; the connection goes on through the other worker."""
    first, second = in_use(fleet), other(fleet)
    wait_for_way_back(fleet, first)
    talk = stream(fleet.network.client("c1"), "talk", milliseconds=10)

    fleet.api.call("PUT", f"/v1/workers/{first}/drain")

    wait_until(lambda: fleet.active("c1") == second, LIMIT, "the client to move")
    wait_for_way_back(fleet, second)
    wait_for_more(talk)
    assert fleet.journal(fleet.sync["c1"]).lines("worker leads nowhere") == []
    # With an interface for each worker it still goes out by the old one, until that lets go of it, or dies.
    fleet.network.worker(first).kill()
    wait_for_more(talk)
    fleet.network.worker(first).restart()
    fleet.api.call("DELETE", f"/v1/workers/{first}/drain")


@PER_WORKER
@pytest.mark.usefixtures("daemons")
def test_what_is_kept_on_a_drained_worker_comes_back_by_the_new_one(fleet: Fleet) -> None:
    """Connection marks lead it out by the old one; the hook knows the client alone. What begins anew takes the new one both ways."""
    first, second = in_use(fleet), other(fleet)
    wait_for_way_back(fleet, first)
    kept = stream(fleet.network.client("c1"), "kept", milliseconds=10)

    fleet.api.call("PUT", f"/v1/workers/{first}/drain")

    wait_until(lambda: fleet.active("c1") == second, LIMIT, "the client to move")
    wait_for_way_back(fleet, second)
    sent, heard = packets(fleet, first, "tx"), packets(fleet, second, "rx")
    wait_for_more(kept, 200)
    assert packets(fleet, first, "tx") >= sent + 200
    assert packets(fleet, second, "rx") >= heard + 200
    kept.kill()
    new = stream(fleet.network.client("c1"), "new", milliseconds=10)
    sent, heard = packets(fleet, second, "tx"), packets(fleet, second, "rx")
    wait_for_more(new, 200)
    assert packets(fleet, second, "tx") >= sent + 200
    assert packets(fleet, second, "rx") >= heard + 200
    fleet.api.call("DELETE", f"/v1/workers/{first}/drain")


@BOTH
@pytest.mark.usefixtures("daemons")
def test_a_tcp_connection_survives_the_death_of_its_worker(fleet: Fleet) -> None:
    """It keeps its address, its way back follows, and it sends again what was lost meanwhile."""
    first, second = in_use(fleet), other(fleet)
    wait_for_way_back(fleet, first)
    talk = stream(fleet.network.client("c1"), "outliving", milliseconds=10)
    wait_for_more(talk, 10)

    fleet.network.worker(first).kill()

    wait_until(lambda: fleet.active("c1") == second, LIMIT, "the client to move")
    wait_for_way_back(fleet, second)
    wait_for_more(talk)
    fleet.network.worker(first).restart()


@pytest.mark.parametrize("fleet", [Client, Following], ids=["single", "per-worker"], indirect=True)
@pytest.mark.usefixtures("daemons", "_wary")
def test_through_stateful_firewalls_it_survives_a_drain_if_nothing_is_kept_on_the_old_worker(
    fleet: Fleet,
) -> None:
    """A worker that sees one direction alone drops it soon. So both must move, as with one interface they do."""
    first, second = in_use(fleet), other(fleet)
    wait_for_way_back(fleet, first)
    talk = stream(fleet.network.client("c1"), "watched", milliseconds=10)
    wait_for_more(talk, 10)

    fleet.api.call("PUT", f"/v1/workers/{first}/drain")

    wait_until(lambda: fleet.active("c1") == second, LIMIT, "the client to move")
    wait_for_way_back(fleet, second)
    wait_for_more(talk, 200)
    fleet.api.call("DELETE", f"/v1/workers/{first}/drain")


def packets(fleet: Fleet, worker: str, way: str) -> int:
    """How many the client has sent (`tx`) or heard (`rx`) by the interface of this worker."""
    counted = f"/sys/class/net/wg-{worker}/statistics/{way}_packets"
    return int(fleet.network.client("c1").run("cat", counted))


def other(fleet: Fleet) -> str:
    """The worker that does not carry it."""
    return next(worker.name for worker in fleet.network.workers if worker.name != fleet.active("c1"))


def in_use(fleet: Fleet) -> str:
    """The worker that carries the client's traffic, once all serve."""
    fleet.wait_until_serving()
    worker = fleet.active("c1")
    assert worker
    return worker


@SINGLE
@pytest.mark.usefixtures("_masquerading")
def test_a_worker_that_is_stopped_is_left_first_and_serves_again_once_it_is_back(
    fleet: Fleet, daemons: dict[str, Process]
) -> None:
    """A packet each 10 ms: they go on by the other worker. Then the daemon ends by itself."""
    old = in_use(fleet)
    traffic = fleet.network.client("c1").traffic()
    traffic.wait_until_flowing(via=old)
    began = time.time()

    os.kill(daemons[old].pid, signal.SIGTERM)

    wait_until(lambda: fleet.active("c1") not in {None, old}, LIMIT, "the client to move")
    fleet.journal(daemons[old]).wait_for("waiting for clients to leave", since=began, timeout=LIMIT)
    assert fleet.health()["workers"][old]["reason"] == "drained_itself"
    assert daemons[old].wait(DRAIN_SECONDS + LIMIT) == 0
    assert traffic.lost_between(began, time.time()) <= 10
    traffic.stop()
    last = fleet.journal(daemons[old]).lines("waiting for clients to leave", since=began)[-1]
    assert last["remains"].startswith("clients that the receiver, started"), "nobody uses it"
    daemons[old].start()
    fleet.wait_until_state(old, "serving", LIMIT)
    (lifted,) = fleet.api.call("GET", "/v1/events", limit=1)
    assert (lifted["who"], lifted["subject"], lifted["after"]) == (old, old, "serving")


@SINGLE
def test_an_operators_drain_outlives_the_workers_restart(fleet: Fleet, daemons: dict[str, Process]) -> None:
    """It is stopped while it is drained, and ended by a second signal; back again, it is drained as before."""
    name = in_use(fleet)
    fleet.api.call("PUT", f"/v1/workers/{name}/drain")
    began, daemon = time.time(), daemons[name]
    journal = fleet.journal(daemon)

    os.kill(daemon.pid, signal.SIGTERM)
    journal.wait_for("draining", since=began, timeout=LIMIT)
    assert daemon.terminate(LIMIT) == 0
    daemon.start()

    kept = journal.wait_for("no own drain lifted", since=began, timeout=LIMIT)
    assert "drained by an operator" in kept["reason"]
    assert fleet.health()["workers"][name]["reason"] == "drained"
    fleet.api.call("DELETE", f"/v1/workers/{name}/drain")
    fleet.wait_until_state(name, "serving", LIMIT)


@SINGLE
def test_with_the_receiver_gone_a_stopped_worker_ends_all_the_same(
    fleet: Fleet, daemons: dict[str, Process]
) -> None:
    """Long before its time is over, and it says why; nobody is moved for it."""
    name = in_use(fleet)
    fleet.receiver.kill()
    began = time.time()

    assert daemons[name].terminate(DRAIN_SECONDS) == 0

    fleet.journal(daemons[name]).wait_for("drain given up", since=began, timeout=LIMIT)
    assert not fleet.journal(daemons[name]).lines("not empty in time", since=began)
    assert fleet.active("c1") == name
    fleet.receiver.start()
    daemons[name].start()
