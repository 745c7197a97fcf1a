"""The whole way, on real parts: a worker dies and its clients' traffic comes back."""

import time

import pytest

from tests.lab.failover import DOWN, fail_over
from tests.lab.fleet import Fleet
from tests.lab.machines import Client
from tests.lab.traffic import Traffic
from tests.lab.waiting import wait_until
from tests.system.conftest import HOLD_DOWN_SECONDS
from wgfleet.device import Device
from wgfleet.dump import parse_dump

pytestmark = pytest.mark.system
LIMIT = 60.0


def device(client: Client) -> Device:
    """The client's interface, read by the real `wg`."""
    return parse_dump("wg0", client.run("wg", "show", "wg0", "dump").encode())


def index(client: Client) -> str:
    """The kernel's number of the client's interface."""
    return client.run("cat", "/sys/class/net/wg0/ifindex")


def test_a_killed_worker_is_left_by_all_its_clients_in_the_order_of_the_story(
    fleet: Fleet, traffics: dict[str, Traffic]
) -> None:
    """Kill, third failed probe, alert, webhook, publication, move, traffic; then it returns, is held down, serves."""
    worker = fleet.active("c1")
    assert worker
    users = fleet.users(worker)
    began = fleet.health()["generation"]

    told = fail_over(fleet, worker, traffics, timeout=LIMIT)

    stages = [told.killed, told.third_failed_probe, told.firing, told.webhook, told.published, told.moved]
    assert stages == sorted(stages)
    assert told.traffic > told.published
    assert sorted(told.applied) == sorted(users)
    assert fleet.users(worker) == []
    assert fleet.state(worker) == "down"
    assert fleet.health()["workers"][worker]["reason"] == "worker_down"
    assert fleet.health()["generation"] > began

    before = {client: fleet.active(client) for client in traffics}
    fleet.network.worker(worker).restart()
    fleet.wait_until_state(worker, "joining", LIMIT)
    assert fleet.health()["workers"][worker]["reason"] == "hold_down"
    fleet.wait_until_state(worker, "serving", LIMIT)
    decided = fleet.journal(fleet.receiver).lines("decided", since=told.published, worker=worker)
    held_down = [line["time"] for line in decided if line["after"] in {"joining", "serving"}]
    assert held_down[-1] - held_down[-2] >= HOLD_DOWN_SECONDS - 0.1
    assert {client: fleet.active(client) for client in traffics} == before, "its return moves nobody"


def test_a_failover_never_drops_the_interface_nor_touches_other_sessions(
    fleet: Fleet, traffics: dict[str, Traffic]
) -> None:
    """Interface index, key, port, firewall mark, and the session with the worker that takes over are as before."""
    client = fleet.network.client("c1")
    worker = fleet.active("c1")
    assert worker
    before, number = device(client), index(client)

    fail_over(fleet, worker, traffics, timeout=LIMIT)

    after = device(client)
    assert index(client) == number
    assert (after.public_key, after.listen_port, after.firewall_mark) == (
        before.public_key,
        before.listen_port,
        before.firewall_mark,
    )
    spared = [other for other in fleet.network.workers if other.name != worker]
    for other in spared:
        old, new = before.peer(other.public_key), after.peer(other.public_key)
        assert old is not None
        assert new is not None
        assert new.latest_handshake == old.latest_handshake
        assert new.endpoint == old.endpoint
    fleet.network.worker(worker).restart()


def test_the_news_of_a_failover_does_not_go_through_the_worker_that_died(
    fleet: Fleet, traffics: dict[str, Traffic]
) -> None:
    """With a full tunnel up, the marked control connection survives; an unmarked packet goes into the dead tunnel."""
    client = fleet.network.client("c1")
    worker = fleet.active("c1")
    assert worker
    monitoring = fleet.network.monitoring.address
    fleet.network.worker(worker).kill()
    killed = time.time()
    traffics["c1"].wait_until_stopped()

    assert client.reaches(monitoring, mark=51820)
    assert not client.reaches(monitoring, timeout=0.3)

    sync = fleet.journal(fleet.sync["c1"])
    sync.wait_for("moved", since=killed, timeout=LIMIT, before=worker)
    assert sync.lines("receiver lost", since=killed) == []
    fleet.network.worker(worker).restart()


def test_a_dead_prometheus_lets_nobody_in(fleet: Fleet, traffics: dict[str, Traffic]) -> None:
    """Prometheus dies while a worker is down: the false `resolved` moves nobody, and the receiver says it is blind."""
    worker = fleet.active("c1")
    assert worker
    fail_over(fleet, worker, traffics, timeout=LIMIT)
    killed = time.time()
    fleet.prometheus.kill()
    receiver = fleet.journal(fleet.receiver)

    receiver.wait_for("alert", since=killed, timeout=LIMIT, alertname=DOWN, worker=worker, status="resolved")
    wait_until(lambda: fleet.health()["monitoring"] == "blind", LIMIT, "the receiver to say that it is blind")

    assert fleet.state(worker) == "down"
    assert receiver.lines("decided", since=killed) == []
    assert [move for client in traffics for move in fleet.moves(client, since=killed)] == []

    fleet.prometheus.start()
    fleet.network.worker(worker).restart()
    fleet.wait_until_serving()


def test_a_vantage_that_is_cut_off_moves_nobody(fleet: Fleet, traffics: dict[str, Traffic]) -> None:
    """The monitoring host loses its network: every probe fails, and no worker is taken out."""
    began = time.time()
    fleet.network.monitoring.cut_off()

    blind = fleet.journal(fleet.receiver).wait_for(
        "alert", since=began, timeout=LIMIT, alertname="WireGuardVantageBlind", status="firing"
    )
    fleet.network.monitoring.mend()
    fleet.wait_until_serving()

    assert blind
    assert fleet.journal(fleet.receiver).lines("decided", since=began) == []
    assert [move for client in traffics for move in fleet.moves(client, since=began)] == []
    for traffic in traffics.values():
        traffic.wait_until_flowing()
        assert traffic.outage(began).seconds < LIMIT


def test_a_drained_worker_is_left_without_an_alert(fleet: Fleet, traffics: dict[str, Traffic]) -> None:
    """An operator drains a worker: its clients move, and come to no harm when its drain ends."""
    worker = fleet.active("c2")
    assert worker
    began = time.time()

    fleet.api.call("PUT", f"/v1/workers/{worker}/drain")
    wait_until(lambda: fleet.users(worker) == [], LIMIT, f"{worker} to be empty")

    for traffic in traffics.values():
        traffic.wait_until_flowing()
        assert traffic.lost_between(began, began + 1.0) <= 10, (
            "a planned move loses the replies under way, no more"
        )
    fleet.api.call("DELETE", f"/v1/workers/{worker}/drain")


def test_nothing_ever_left_a_tunnel_in_clear(fleet: Fleet) -> None:
    """After all of the above: no packet for what lies behind the tunnel was seen outside it."""
    assert fleet.network.underlay.leaked() == 0
