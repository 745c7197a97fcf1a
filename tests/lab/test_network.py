"""The network stands, fails on demand and comes back."""

import socket
import sys
import time
from collections.abc import Iterator

import pytest

from tests.lab.addresses import FIREWALL_MARK, MONITORING, SERVICE, TUNNEL_TABLE, UNDERLAY_GATEWAY
from tests.lab.host import CommandError
from tests.lab.machines import Client, Monitoring, Worker
from tests.lab.network import Network
from tests.lab.traffic import Traffic
from tests.lab.waiting import wait_until
from tests.lab.wireguard import Kernel

pytestmark = pytest.mark.system


@pytest.fixture
def net() -> Iterator[Network]:
    with Network(workers=2, clients=1) as network:
        yield network


def give_all(client: Client, worker: Worker) -> None:
    """Move a client by hand: one `wg set`."""
    client.wg0.set("peer", worker.public_key, "endpoint", worker.endpoint, "allowed-ips", "0.0.0.0/0")


def wait_until_in_tunnel(vantage: Monitoring, worker: Worker) -> None:
    """A handshake that was lost is tried again after 5 s."""
    what = f"{worker.name} to answer {vantage.name} in the tunnel"
    wait_until(lambda: vantage.reaches(worker.tunnel_address, timeout=0.1), 10, what)


def flowing_traffic(net: Network) -> Traffic:
    give_all(net.clients["c1"], net.worker("w1"))
    traffic = net.clients["c1"].traffic()
    traffic.wait_until_flowing(via="w1")
    return traffic


def test_hosts_see_each_other_where_they_should(net: Network) -> None:
    w1, w2 = net.workers
    c1 = net.clients["c1"]
    assert [host.name for host in net.hosts] == ["underlay", "service", "monitoring", "w1", "w2", "c1"]
    assert net.monitoring.reaches(net.monitoring.gateway)
    assert net.monitoring.reaches(w1.address)
    assert net.monitoring.reaches(w2.tunnel_address)
    assert w1.reaches(UNDERLAY_GATEWAY)
    assert w1.reaches(SERVICE)
    assert c1.reaches(w1.address, mark=FIREWALL_MARK)
    assert c1.reaches(MONITORING, mark=FIREWALL_MARK)


def test_an_unmarked_connection_of_a_client_uses_the_tunnel_or_nothing(net: Network) -> None:
    c1 = net.clients["c1"]
    assert not c1.reaches(MONITORING, timeout=0.2)
    give_all(c1, net.worker("w1"))
    assert c1.reaches(MONITORING)
    net.worker("w1").kill()
    assert not c1.reaches(MONITORING, timeout=0.2)
    assert c1.reaches(MONITORING, mark=FIREWALL_MARK)


def test_a_killed_worker_stops_its_clients_until_they_are_moved(net: Network) -> None:
    w1, w2 = net.workers
    c1 = net.clients["c1"]
    traffic = flowing_traffic(net)

    killed = time.time()
    w1.kill()
    assert traffic.wait_until_stopped() == pytest.approx(killed, abs=0.2)
    give_all(c1, w2)
    traffic.wait_until_flowing(via="w2")
    outage = traffic.outage(killed)
    assert (outage.via_before, outage.via_after) == ("w1", "w2")
    assert outage.first_reply is not None
    assert 0.3 < outage.seconds < 2
    assert outage.lost == pytest.approx(outage.seconds * 100, rel=0.2)

    w1.restart()
    assert {peer.public_key for peer in w1.wg0.device().peers} == {c1.public_key, net.monitoring.public_key}
    c1.wg0.set("peer", w1.public_key, "remove")  # Its session is one that the restarted worker does not know.
    give_all(c1, w1)
    traffic.wait_until_flowing(via="w1")
    assert net.underlay.leaked() == 0


def test_a_frozen_worker_answers_again_when_thawed(net: Network) -> None:
    traffic = flowing_traffic(net)
    net.worker("w1").freeze()
    traffic.wait_until_stopped()
    net.worker("w1").thaw()
    traffic.wait_until_flowing(via="w1")


def test_the_kernels_wireguard_is_frozen_by_dropping_its_packets(net: Network) -> None:
    """Any WireGuard will do to see that."""
    traffic = flowing_traffic(net)
    w1 = Kernel(net.worker("w1"), "wg0")
    assert w1.alive
    w1.freeze()
    traffic.wait_until_stopped()
    w1.thaw()
    w1.thaw()
    traffic.wait_until_flowing(via="w1")


def test_a_worker_cut_off_is_silent_and_its_carrier_stays(net: Network) -> None:
    traffic = flowing_traffic(net)
    w1 = net.worker("w1")
    w1.cut_off()
    traffic.wait_until_stopped()
    assert not w1.reaches(UNDERLAY_GATEWAY, timeout=0.2)
    assert "LOWER_UP" in w1.run("ip", "link", "show", "eth0")
    w1.mend()
    traffic.wait_until_flowing(via="w1")


def test_nothing_leaks_when_the_clients_own_wireguard_dies_and_a_leak_would_be_seen(net: Network) -> None:
    c1 = net.clients["c1"]
    traffic = flowing_traffic(net)
    c1.wg0.kill()
    traffic.wait_until_stopped()
    assert net.underlay.leaked() == 0
    c1.ip(f"rule delete not fwmark {FIREWALL_MARK} table {TUNNEL_TABLE}")
    wait_until(net.underlay.leaked, 2, "packets in clear")


def test_a_client_restarted_has_its_routes_again(net: Network) -> None:
    c1 = net.clients["c1"]
    traffic = flowing_traffic(net)
    c1.wg0.restart()
    give_all(c1, net.worker("w2"))
    traffic.wait_until_flowing(via="w2")


def test_workers_and_clients_can_join_later(net: Network) -> None:
    w3 = net.add_worker()
    c2 = net.add_client()
    assert (w3.name, c2.name) == ("w3", "c2")
    wait_until_in_tunnel(net.monitoring, w3)
    for worker in net.workers:
        give_all(c2, worker)
        assert c2.reaches(worker.tunnel_address)


def test_two_networks_at_once_do_not_see_each_other(net: Network) -> None:
    with Network(workers=1, clients=1) as other:
        for network in (net, other):
            give_all(network.clients["c1"], network.worker("w1"))
            network.clients["c1"].traffic().wait_until_flowing(via="w1")
        net.worker("w1").kill()
        assert not net.clients["c1"].reaches(SERVICE, timeout=0.2)
        assert other.clients["c1"].reaches(SERVICE)


def test_nothing_of_it_is_seen_outside(net: Network) -> None:
    assert not {"wg0", "underlay", "control", "lan", "w1", "c1"} & {name for _, name in socket.if_nameindex()}
    assert "eth0" in net.worker("w1").run("ls", "/sys/class/net").split()


def test_a_failing_command_says_where_and_why(net: Network) -> None:
    with pytest.raises(
        CommandError, match=r"on w1, `wg show wg9 dump` failed with 1: Unable to access interface"
    ):
        net.worker("w1").run("wg", "show", "wg9", "dump")


def test_a_program_listens_inside_and_only_there(net: Network) -> None:
    web = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "8999"]
    net.monitoring.spawn("web", web, ready=lambda: net.monitoring.listens(8999))
    assert not net.worker("w1").listens(8999)


def test_two_hosts_are_parted_silently_and_see_all_others(net: Network) -> None:
    monitoring, (w1, w2) = net.monitoring, net.workers
    net.underlay.part(monitoring, w1)
    assert not monitoring.reaches(w1.address, timeout=0.2)
    assert not monitoring.reaches(w1.tunnel_address, timeout=0.2)
    assert not w1.reaches(monitoring.address, timeout=0.2)
    assert monitoring.reaches(w2.tunnel_address)
    net.underlay.rejoin()
    assert monitoring.reaches(w1.address)
    wait_until_in_tunnel(monitoring, w1)


def test_a_second_monitoring_host_is_a_vantage_of_its_own() -> None:
    with Network(workers=1, clients=0, vantages=2) as net:
        first, second = net.vantages
        assert (first, second.name) == (net.monitoring, "mon2")
        for worker in [*net.workers, net.add_worker()]:
            for vantage in net.vantages:
                assert vantage.reaches(worker.address)
                wait_until_in_tunnel(vantage, worker)
        assert second.reaches(first.address)
        second.cut_off()
        assert not second.reaches(first.address, timeout=0.2)
        assert first.reaches(net.workers[0].tunnel_address)
