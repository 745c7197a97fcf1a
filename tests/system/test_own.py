"""One interface that the daemon makes itself, on real WireGuard: from nothing, through failures, and what must never leak."""

import errno
import sys
import time
from collections.abc import Iterator

import pytest

from tests.lab.addresses import FIREWALL_MARK, MONITORING, TUNNEL, UNDERLAY, UNDERLAY_GATEWAY, worker_tunnel
from tests.lab.bare import OUTSIDE
from tests.lab.fleet import Fleet, Profile
from tests.lab.journal import Journal
from tests.lab.network import Network
from tests.lab.offline import daemon, publish
from tests.lab.own import NAME, OwnClient
from tests.lab.process import Process
from tests.lab.traffic import Traffic
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.system
LIMIT = 30.0
SEND = f"""
import errno, socket
try:
    socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b"?", ("{OUTSIDE}", 9))
    print("sent")
except OSError as error:
    print(errno.errorcode[error.errno])
"""


def machine(net: Network) -> OwnClient:
    """Its only client."""
    found = net.client("c1")
    assert isinstance(found, OwnClient)
    return found


@pytest.fixture
def net() -> Iterator[Network]:
    """Two workers that masquerade, and a client without any interface into a tunnel."""
    with Network(2, 1, client=OwnClient) as up:
        yield up


@pytest.fixture
def client(net: Network) -> OwnClient:
    """The client."""
    return machine(net)


@pytest.fixture
def sync(net: Network, client: OwnClient) -> Process:
    """Its daemon, not started yet, with a document on its disk: w1 is preferred."""
    prepared = daemon(client)
    publish(client, net.workers, 1)
    return prepared


def flowing(client: OwnClient, sync: Process) -> Traffic:
    """Start the daemon; traffic that flows through w1."""
    sync.start()
    Journal(sync.log).wait_for("moved", timeout=LIMIT, worker="w1")
    traffic = client.traffic()
    traffic.wait_until_flowing(via="w1")
    return traffic


def leaked(net: Network, client: OwnClient) -> int:
    """What left in clear, as the client's own cable and the Internet saw it."""
    return client.leaked() + net.underlay.leaked()


def test_from_nothing_to_a_full_tunnel_with_the_receiver_still_reached() -> None:
    """Everything goes through the tunnel but the daemon's own connection; a failover is one change of one peer."""
    with Fleet(Profile(client=OwnClient, hold_down=3.0), workers=2, clients=1) as fleet:
        client = machine(fleet.network)
        fleet.wait_until_serving()
        first = fleet.active("c1")
        assert first
        (second,) = {"w1", "w2"} - {first}
        traffic = client.traffic()
        traffic.wait_until_flowing(via=first)
        before = client.index()
        assert "dev wg0" in client.run("ip", "route", "get", MONITORING)
        fleet.receiver.kill()
        fleet.receiver.start()
        connected = time.time()
        fleet.journal(fleet.sync["c1"]).wait_for("following", since=connected - 1, timeout=LIMIT)

        fleet.network.worker(first).kill()
        killed = time.time()
        wait_until(lambda: fleet.active("c1") == second, LIMIT, "the failover")
        traffic.wait_until_flowing(via=second)

        changed = fleet.journal(fleet.sync["c1"]).lines("changed", since=killed)
        moved = [line["change"] for line in changed if "0.0.0.0/0" in line["change"]]
        key = fleet.network.worker(second).public_key
        assert len(moved) == 1
        assert moved[0].startswith(f"update peer {key} allowed-ips ")
        assert client.index() == before
        assert leaked(fleet.network, client) == 0


@pytest.mark.parametrize("end", ["deleted", "killed"])
def test_an_interface_that_is_gone_under_load_lets_nothing_out_and_is_made_again(
    net: Network, client: OwnClient, sync: Process, end: str
) -> None:
    """Whether somebody deleted it or its WireGuard in userspace died; rules, mark and key are as before."""
    traffic = flowing(client, sync)
    led, key, index = client.led(), client.device().public_key, client.index()

    gone = time.time()
    if end == "deleted":
        client.delete()
    elif not client.kill_wireguard():
        pytest.skip("the kernel's WireGuard has no process to kill")
    Journal(sync.log).wait_for("interface made", since=gone, timeout=LIMIT)
    wait_until(lambda: client.there and client.active() == "w1", LIMIT, "w1 to carry again")
    wait_until(lambda: (traffic.refresh().replies[-1].at) > gone + 1, LIMIT, "traffic again")

    assert client.index() != index
    assert (client.led(), client.device().public_key) == (led, key)
    assert client.device().firewall_mark == FIREWALL_MARK
    assert Journal(sync.log).lines("moved", since=gone) == []
    assert leaked(net, client) == 0


def test_nothing_leaves_in_clear_while_the_daemon_is_away_with_its_interface(
    net: Network, client: OwnClient, sync: Process
) -> None:
    """Stopped, it leaves the traffic on; then the interface is deleted, and nobody makes it until the daemon is back."""
    traffic = flowing(client, sync)
    assert sync.terminate() == 0
    sent = len(traffic.refresh().replies)
    wait_until(lambda: len(traffic.refresh().replies) > sent + 20, LIMIT, "traffic without the daemon")

    client.delete()
    traffic.wait_until_stopped()
    assert leaked(net, client) == 0

    sync.start()
    traffic.wait_until_flowing(via="w1")
    assert leaked(net, client) == 0


def test_a_restart_takes_up_what_it_finds(net: Network, client: OwnClient, sync: Process) -> None:
    """Interface, key, port, peers, rules and routes are the very same, and no packet is lost."""

    def looked() -> tuple[object, ...]:
        device = client.device()
        peers = {(peer.public_key, peer.endpoint, peer.allowed_ips) for peer in device.peers}
        return (
            client.index(),
            device.public_key,
            device.listen_port,
            device.firewall_mark,
            peers,
            client.led(),
        )

    traffic = flowing(client, sync)
    before, began = looked(), time.time()

    assert sync.terminate() == 0
    sync.start()
    wait_until((client.home / "state" / "status.json").exists, LIMIT, "a status")
    answered = len(traffic.refresh().replies)
    wait_until(lambda: len(traffic.refresh().replies) > answered + 50, LIMIT, "traffic after it")

    assert looked() == before
    assert Journal(sync.log).lines("changed", since=began) == []
    assert traffic.lost_between(began, time.time()) == 0
    assert leaked(net, client) == 0


def test_a_tunnel_of_four_does_not_let_six_out(net: Network, client: OwnClient, sync: Process) -> None:
    """Though there is a default route for it: only what is on-link and what has the mark gets out."""

    def way(*words: str) -> str:
        return client.run("/bin/sh", "-c", f"ip -6 route get {' '.join(words)} 2>&1 || true")

    def send() -> str:
        return client.run(sys.executable, "-c", SEND).strip()

    assert send() == "sent"
    seen = leaked(net, client)
    assert seen > 0, "or the next count says nothing"

    flowing(client, sync)

    assert "dev eth0" not in way(OUTSIDE)
    assert "dev eth0" in way(OUTSIDE, "mark", str(FIREWALL_MARK))
    assert "dev eth0" in way("2001:db8:1::9")
    assert send() == errno.errorcode[errno.EHOSTUNREACH]
    assert leaked(net, client) == seen


def test_rules_that_another_program_cleared_are_set_again(
    net: Network, client: OwnClient, sync: Process
) -> None:
    """As systemd-networkd does when it starts: it takes away what it does not know."""
    flowing(client, sync)
    led = client.led()

    client.ip("rule delete pref 30102")
    assert client.led() != led

    wait_until(lambda: client.led() == led, LIMIT, "the rule")
    assert net.worker("w1").wg0.alive


def test_what_another_program_gave_to_another_worker_is_given_back(
    net: Network, client: OwnClient, sync: Process
) -> None:
    """As a manager of networks does that sets its own peers again: both workers answer probes all the while."""
    flowing(client, sync)
    key = net.worker("w2").public_key

    client.run("wg", "set", NAME, "peer", key, "allowed-ips", f"{worker_tunnel(2)}/32,0.0.0.0/0")
    assert client.active() == "w2"

    wait_until(lambda: client.active() == "w1", LIMIT, "the prefixes")
    assert Journal(sync.log).lines("set again, others changed it")


def test_where_packets_must_come_by_the_way_of_their_answers_the_tunnels_own_do(
    net: Network, client: OwnClient, sync: Process
) -> None:
    """rp_filter is strict everywhere, as some distributions have it: what workers send would look as if it came astray."""
    for where in ("all", "default", "eth0"):
        client.sysctl(f"net.ipv4.conf.{where}.rp_filter", 1)
    # Workers are no neighbours: only the default route in clear leads to them, and the tunnel's rules hide that one.
    client.ip(
        f"address delete {client.address}/{UNDERLAY.prefixlen} dev eth0",
        f"address add {client.address}/32 dev eth0",
        f"route add {UNDERLAY_GATEWAY}/32 dev eth0",
        f"route add default via {UNDERLAY_GATEWAY} src {client.address}",
    )

    flowing(client, sync)

    assert leaked(net, client) == 0


class NetworkedClient(OwnClient):
    """Its address says which network it is in."""

    def settings(self) -> dict[str, object]:
        """What the daemon's configuration says of the interface."""
        return {**super().settings(), "addresses": [f"{self.tunnel_address}/{TUNNEL.prefixlen}"]}


def test_a_receiver_inside_the_tunnel_is_reached_where_an_address_says_its_network() -> None:
    """A connection with the tunnel's own mark goes by the main table, which has that network as with wg-quick."""
    with Network(2, 1, client=NetworkedClient) as net:
        client = machine(net)
        prepared = daemon(client)
        publish(client, net.workers, 1)
        flowing(client, prepared)

        assert client.reaches(worker_tunnel(1), mark=FIREWALL_MARK)
        assert leaked(net, client) == 0

        client.ip(f"address delete {client.tunnel_address}/{TUNNEL.prefixlen} dev {NAME}")
        client.ip(f"address add {client.tunnel_address}/32 dev {NAME}")
        assert not client.reaches(worker_tunnel(1), mark=FIREWALL_MARK), "or the network made no difference"
