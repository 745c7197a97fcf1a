"""One interface for each worker, on real WireGuard: what moves, what stays where it was, and what must never leak."""

import errno
import sys
import time
from collections.abc import Iterator

import pytest

from client_sync.perworker.counting import flows
from tests.lab.addresses import FIREWALL_MARK, SERVICE, worker_tunnel
from tests.lab.bare import OUTSIDE
from tests.lab.fleet import Fleet, Profile
from tests.lab.journal import Journal
from tests.lab.network import Network
from tests.lab.offline import daemon, publish
from tests.lab.perworker import (
    PerWorkerClient,
    listen,
    network,
    network_behind,
    stream,
    via,
)
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.system
LIMIT = 30.0
MOVES = 6
SEND = f"""
import errno, socket
try:
    socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b"?", ("{OUTSIDE}", 9))
    print("sent")
except OSError as error:
    print(errno.errorcode[error.errno])
"""
CONNECTIONS = "from client_sync.perworker.system import connections; print(*connections() or (), sep='\\n')"
MARK_OF_W1 = hex(FIREWALL_MARK + 1)


@pytest.fixture
def net() -> Iterator[Network]:
    """Two workers that masquerade, and a client without any interface into a tunnel."""
    with network() as up:
        listen(up)
        yield up


@pytest.fixture
def client(net: Network) -> PerWorkerClient:
    """The client."""
    found = net.client("c1")
    assert isinstance(found, PerWorkerClient)
    return found


def rules(client: PerWorkerClient) -> str:
    """Its policy rules."""
    return client.run("ip", "-4", "rule", "show")


def strict(client: PerWorkerClient) -> None:
    """Have it drop what comes by another interface than an answer would take, as some distributions do."""
    for where in ("all", "default", "eth0"):
        client.sysctl(f"net.ipv4.conf.{where}.rp_filter", 1)


@pytest.mark.parametrize("filtered", [False, True], ids=["loose", "strict"])
def test_planned_moves_to_and_fro_lose_nothing(
    net: Network, client: PerWorkerClient, *, filtered: bool
) -> None:
    """A packet each millisecond and its echo: kept on the old worker by its mark first, then moved by the drain's end."""
    if filtered:
        strict(client)
    client.lay(net.workers, "w1")
    traffic = client.traffic(milliseconds=1)
    traffic.wait_until_flowing(via="w1")
    began = time.time()

    for move in range(MOVES):
        old, new = ("w1", "w2") if move % 2 == 0 else ("w2", "w1")
        kept = client.lay(net.workers, new, states={old: "draining"})
        traffic.wait_until_flowing(via=old)
        assert (kept.holder, kept.draining) == (new, (old,))
        client.lay(net.workers, new, end_drains=True, drain_deadline=0)
        traffic.wait_until_flowing(via=new)

    assert traffic.lost_between(began, time.time()) == 0
    assert client.leaked() == 0


def test_a_connection_through_a_masquerading_worker_survives_its_drain(
    net: Network, client: PerWorkerClient
) -> None:
    """It goes on through the old worker, new ones take the new; when it ends, the old worker is free."""
    client.lay(net.workers, "w1")
    old = stream(client, "old")

    client.lay(net.workers, "w2", states={"w1": "draining"})
    new = stream(client, "new")
    old.wait_for_line(" via ", LIMIT)
    answered = len(old.output().splitlines())
    wait_until(
        lambda: len(old.output().splitlines()) > answered + 5, LIMIT, "more answers on the old connection"
    )

    assert (via(old), via(new)) == ("w1", "w2")
    while_it_lasts = client.lay(net.workers, "w2", states={"w1": "draining"}, end_drains=True)
    assert while_it_lasts.draining == ("w1",)
    assert while_it_lasts.flows == {"w1": 1, "w2": 1}
    old.kill()
    wait_until(
        lambda: client.lay(net.workers, "w2", states={"w1": "draining"}, end_drains=True).draining == (),
        LIMIT,
        "the drain to end",
    )
    assert MARK_OF_W1 not in rules(client)
    assert via(new) == "w2"


def test_at_the_deadline_what_is_left_on_the_old_worker_is_let_go(
    net: Network, client: PerWorkerClient
) -> None:
    """The connection breaks at once: a program that knows can begin anew."""
    client.lay(net.workers, "w1")
    old = stream(client, "old")
    client.lay(net.workers, "w2", states={"w1": "draining"})
    assert MARK_OF_W1 in rules(client)

    client.lay(net.workers, "w2", states={"w1": "draining"}, end_drains=True, drain_deadline=0)

    wait_until(lambda: "broken" in old.output() or "ended" in old.output(), LIMIT, "the connection to break")
    assert MARK_OF_W1 not in rules(client)


def test_a_killed_worker_is_left_at_once_and_nothing_leaks(net: Network, client: PerWorkerClient) -> None:
    """Its rule goes with the move, and the flow that it carried takes the new worker."""
    client.lay(net.workers, "w1")
    traffic = client.traffic()
    traffic.wait_until_flowing(via="w1")
    net.worker("w1").kill()
    traffic.wait_until_stopped()

    laid = client.lay(net.workers, "w2", states={"w1": "down"})

    traffic.wait_until_flowing(via="w2")
    assert (laid.holder, laid.draining) == ("w2", ())
    assert MARK_OF_W1 not in rules(client)
    assert client.leaked() == 0


def test_when_the_clients_own_wireguard_dies_nothing_leaves_in_clear(
    net: Network, client: PerWorkerClient
) -> None:
    """Its routes vanish with it; what lies beneath stops the traffic until the next move, and then all is whole again."""
    client.lay(net.workers, "w1")
    traffic = client.traffic()
    traffic.wait_until_flowing(via="w1")

    client.end_wireguard("w1")
    traffic.wait_until_stopped()
    assert client.leaked() == 0

    client.lay(net.workers, "w2")
    traffic.wait_until_flowing(via="w2")
    assert client.device("w1").firewall_mark == FIREWALL_MARK
    assert client.reaches(worker_tunnel(1))
    assert client.leaked() == 0


def test_no_move_and_no_restart_touches_an_interface(net: Network, client: PerWorkerClient) -> None:
    """Number, key, port, mark and endpoint are as before; each configuration here is a daemon just started."""

    def looked() -> list[tuple[object, ...]]:
        return [
            (
                client.index(name),
                (device := client.device(name)).public_key,
                device.listen_port,
                device.firewall_mark,
                device.peers[0].endpoint,
            )
            for name in ("w1", "w2")
        ]

    client.lay(net.workers, "w1")
    before = looked()
    for active in ("w2", "w1", "w2"):
        client.lay(net.workers, active)

    assert looked() == before
    assert before[0][1] == client.public_key
    assert before[0][2] != before[1][2], "two interfaces cannot have one port"


def test_a_tunnel_of_four_does_not_let_six_out(net: Network, client: PerWorkerClient) -> None:
    """Though there is a default route for it: only what is on-link and what has the mark gets out."""

    def way(*words: str) -> str:
        return client.run("/bin/sh", "-c", f"ip -6 route get {' '.join(words)} 2>&1 || true")

    def send() -> str:
        return client.run(sys.executable, "-c", SEND).strip()

    assert "dev eth0" in way(OUTSIDE)
    assert send() == "sent"
    seen = client.leaked()
    assert seen > 0, "or the next count says nothing"

    client.lay(net.workers, "w1")

    assert "dev eth0" not in way(OUTSIDE)
    assert "dev eth0" in way(OUTSIDE, "mark", str(FIREWALL_MARK))
    assert "dev eth0" in way("2001:db8:1::9")
    assert send() == errno.errorcode[errno.EHOSTUNREACH]
    assert client.leaked() == seen


def test_an_interface_of_a_removed_worker_goes_when_nothing_uses_it_any_more(
    net: Network, client: PerWorkerClient
) -> None:
    """While a connection is on it, it stays; one that others made stays always."""
    client.ip("link add wg-other type veth peer name other")
    client.lay(net.workers, "w1")
    old = stream(client, "old")
    left = [net.worker("w2")]

    client.lay(left, "w2")
    assert "wg-w1" in client.run("ip", "link")
    old.kill()
    wait_until(lambda: client.lay(left, "w2", end_drains=True).draining == (), LIMIT, "the drain to end")

    links = client.run("ip", "link")
    assert "wg-w1" not in links
    assert "wg-w2" in links
    assert "wg-other" in links


@pytest.mark.parametrize("filtered", [False, True], ids=["loose", "strict"])
def test_connections_of_a_network_behind_the_client_survive_a_drain(
    net: Network, client: PerWorkerClient, *, filtered: bool
) -> None:
    """The client is a gateway that translates to its tunnel address: old ones stay, new ones take the new worker."""
    if filtered:
        strict(client)
    behind = network_behind(net, client)
    client.lay(net.workers, "w1")
    old = stream(behind, "old")

    client.lay(net.workers, "w2", states={"w1": "draining"})
    new = stream(behind, "new")
    answered = len(old.output().splitlines())
    wait_until(lambda: len(old.output().splitlines()) > answered + 20, LIMIT, "answers after the move")

    assert (via(old), via(new)) == ("w1", "w2")
    assert client.leaked() == 0


# The daemon itself, from its last good document: no receiver is up.


def test_the_daemon_drains_a_worker_and_lets_go_of_it_when_it_dies(
    net: Network, client: PerWorkerClient
) -> None:
    """Started, stopped, started with another document: the interfaces outlive it, and a death ends the drain at once."""
    sync = daemon(client)
    publish(client, net.workers, 1)
    sync.start()
    said = Journal(sync.log)
    said.wait_for("moved", since=0.0, timeout=LIMIT, worker="w1")
    wait_until(lambda: client.device("w1").peers[0].latest_handshake, LIMIT, "a session")
    old = stream(client, "old")
    before = (client.index("w1"), client.index("w2"))
    assert sync.terminate() == 0
    assert via(old) == "w1"
    publish(client, net.workers, 2, w1="draining")

    sync.start()
    said.wait_for("moved", since=0.0, timeout=LIMIT, worker="w2", before="w1")
    answered = len(old.output().splitlines())
    wait_until(lambda: len(old.output().splitlines()) > answered + 20, LIMIT, "answers after the move")
    assert (client.index("w1"), client.index("w2")) == before
    assert via(stream(client, "new")) == "w2"

    net.worker("w1").kill()
    said.wait_for("drain ended", since=0.0, timeout=LIMIT, worker="w1", reason="silent")
    wait_until(lambda: MARK_OF_W1 not in rules(client), LIMIT, "the rule to go")
    wait_until(lambda: "broken" in old.output() or "ended" in old.output(), LIMIT, "the connection to break")
    assert client.leaked() == 0
    assert sync.terminate() == 0


@pytest.fixture
def probing(net: Network, client: PerWorkerClient) -> Iterator[Journal]:
    """What the daemon says that probes a target beyond its workers; w1 carries the traffic."""
    strict(client)
    sync = daemon(client, probe_target=SERVICE, kill_switch=True)
    publish(client, net.workers, 1)
    sync.start()
    said = Journal(sync.log)
    said.wait_for("moved", timeout=LIMIT, worker="w1")
    yield said
    assert sync.terminate() == 0


def test_a_worker_that_forwards_no_more_is_left_by_the_clients_own_probes(
    net: Network, client: PerWorkerClient, probing: Journal
) -> None:
    """Its tunnel answers as before; what lies beyond answers through the other worker alone."""
    traffic = client.traffic()
    traffic.wait_until_flowing(via="w1")
    net.worker("w1").sysctl("net.ipv4.ip_forward", 0)

    probing.wait_for("worker leads nowhere", timeout=LIMIT, worker="w1", target=SERVICE)
    probing.wait_for("moved", timeout=LIMIT, worker="w2", before="w1", reason="silent")

    traffic.wait_until_flowing(via="w2")
    assert client.reaches(worker_tunnel(1))
    net.worker("w1").sysctl("net.ipv4.ip_forward", 1)
    probing.wait_for("worker leads on again", timeout=LIMIT, worker="w1")
    assert client.leaked() == 0


def test_probes_beyond_are_no_connections(client: PerWorkerClient, probing: Journal) -> None:
    """Or no drain would ever end: each worker is probed all the time."""

    def icmp() -> list[str]:
        listed = client.run(sys.executable, "-c", CONNECTIONS).splitlines()
        return [line for line in listed if " icmp " in line and f"dst={SERVICE} " in line]

    wait_until(lambda: len(icmp()) == 2, LIMIT, "a probe by either interface")
    assert flows(icmp()) == {}
    assert probing.lines("worker leads nowhere") == []


def test_a_target_that_dies_moves_nobody_and_a_dead_worker_is_left_all_the_same(
    net: Network, client: PerWorkerClient, probing: Journal
) -> None:
    """Nothing is held against anyone; the tunnels alone are judged by."""
    traffic = client.traffic()
    traffic.wait_until_flowing(via="w1")
    net.service.nft(
        "table inet deaf { chain input { type filter hook input priority 0; icmp type echo-request drop; }; }\n"
    )
    probing.wait_for("probe target silent: workers are judged by their own answers", timeout=LIMIT)
    assert len(probing.lines("moved")) == 1

    net.worker("w1").kill()
    probing.wait_for("moved", timeout=LIMIT, worker="w2", before="w1", reason="silent")

    traffic.wait_until_flowing(via="w2")
    net.service.nft("delete table inet deaf\n")
    probing.wait_for("probe target answers", timeout=LIMIT)
    assert len(probing.lines("moved")) == 2
    assert client.leaked() == 0


def test_the_whole_fleet_drains_and_fails_over_with_an_interface_for_each_worker() -> None:
    """An operator's drain moves nothing that is connected; then monitoring finds the new worker dead, and all leave it."""
    profile = Profile(hold_down=3.0, hold_down_factor=1.0, client=PerWorkerClient)
    with Fleet(profile, workers=2, clients=1) as fleet:
        listen(fleet.network)
        fleet.wait_until_serving()
        client = fleet.network.client("c1")
        assert isinstance(client, PerWorkerClient)
        first = fleet.active("c1")
        assert first
        (second,) = {"w1", "w2"} - {first}
        traffic = client.traffic()
        traffic.wait_until_flowing(via=first)
        old = stream(client, "old")
        began = time.time()

        drained = fleet.api.call("PUT", f"/v1/workers/{first}/drain")
        wait_until(lambda: fleet.active("c1") == second, LIMIT, "the move")
        answered = len(old.output().splitlines())
        wait_until(lambda: len(old.output().splitlines()) > answered + 20, LIMIT, "answers after the move")
        assert via(stream(client, "new")) == second
        assert traffic.lost_between(began, time.time()) == 0
        path = f"/v1/workers/{first}/clients"
        number = {"epoch": drained["epoch"], "generation": drained["generation"]}
        left = wait_until(
            lambda: fleet.api.call("GET", path, **number)["connections"].get("c1"),
            LIMIT,
            "the connections left to be told",
        )
        assert left >= 2, "the stream, and the packets that were under way before it"

        fleet.api.call("DELETE", f"/v1/workers/{first}/drain")
        fleet.wait_until_serving()
        fleet.network.worker(second).kill()
        wait_until(lambda: fleet.active("c1") == first, LIMIT, "the failover")
        traffic.wait_until_flowing(via=first)
        assert via(old) == first
        assert client.leaked() == 0
