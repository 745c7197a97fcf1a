"""`wgfleet-sync adopt` on a full tunnel that the real wg-quick made: nothing of it changes, then the daemon has it."""

import json
import sys
import time
from collections.abc import Iterator

import pytest

from tests.lab.journal import Journal
from tests.lab.network import Network
from tests.lab.offline import daemon, publish, serve
from tests.lab.own import NAME, OwnClient
from tests.lab.process import Process
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.system
LIMIT = 30.0


class WgQuickClient(OwnClient):
    """Its interface is made by wg-quick; the daemon's configuration knows no more than its name."""

    def settings(self) -> dict[str, object]:
        """What the daemon's configuration says of the interface."""
        return {"interface": NAME}

    def up(self, worker_key: str, endpoint: str) -> None:
        """Bring it up by its file, with one worker for everything."""
        self.run("mount", "-t", "tmpfs", "-o", "mode=0700", "wireguard", "/etc/wireguard")
        lines = [
            "[Interface]",
            f"PrivateKey = {self.wg0.keys.private}",
            f"Address = {self.tunnel_address}/16",
            "SaveConfig = true",
            "[Peer]",
            f"PublicKey = {worker_key}",
            f"Endpoint = {endpoint}",
            "AllowedIPs = 0.0.0.0/0",
        ]
        self.run(
            "/bin/sh", "-ec", f"umask 077; cat > /etc/wireguard/{NAME}.conf", given="\n".join(lines) + "\n"
        )
        self.run("wg-quick", "up", NAME)

    def adopt(self, *flags: str) -> str:
        """Run the command."""
        return self.run(sys.executable, "-m", "client_sync", "adopt", NAME, "--directory", self.home, *flags)


@pytest.fixture
def net() -> Iterator[Network]:
    """Two workers, and a client whose full tunnel wg-quick made, through w1."""
    with Network(2, 1, client=WgQuickClient) as up:
        yield up


@pytest.fixture
def client(net: Network) -> WgQuickClient:
    """The client."""
    found = net.client("c1")
    assert isinstance(found, WgQuickClient)
    worker = net.worker("w1")
    found.up(worker.public_key, worker.endpoint)
    return found


@pytest.fixture
def sync(net: Network, client: WgQuickClient) -> Process:
    """Its daemon, not started yet, with a document on its disk: w1 is preferred."""
    prepared = daemon(client)
    publish(client, net.workers, 1)
    return prepared


@pytest.fixture
def first(client: WgQuickClient) -> Process:
    """Its daemon, not started yet, which has never heard a receiver."""
    return daemon(client, kill_switch=True)


def test_a_tunnel_of_wg_quick_is_adopted_as_it_is_and_made_again_when_it_is_gone(
    net: Network, client: WgQuickClient, sync: Process
) -> None:
    """Adopting changes nothing; the daemon takes it up with its mark, loses no packet, and from then on keeps it there."""
    traffic = client.traffic()
    traffic.wait_until_flowing(via="w1")
    before, led = (client.device(), client.index()), client.led()
    began = time.time()

    said = json.loads(client.adopt("--bring-up", "--json"))

    assert (client.device().listen_port, client.index(), client.led()) == (
        before[0].listen_port,
        before[1],
        led,
    )
    assert said["public_key"] == client.public_key
    assert said["made_by"] == [{"name": "wg-quick", "where": "/etc/wireguard/wg0.conf"}]
    assert [peer["worker"] for peer in said["peers"]] == ["w1"]
    assert said["tunnel"] == "full"
    assert said["firewall_mark"] == before[0].firewall_mark
    assert (said["written"], said["complete"]) == (True, True)
    assert "SaveConfig" in said["fights"][0]
    assert (client.home / "wg0.key").stat().st_mode & 0o777 == 0o600
    assert (client.home / "sync.toml").stat().st_mode & 0o777 == 0o600

    sync.start()
    wait_until(lambda: len(client.device().peers) == 2, LIMIT, "the other worker to be a peer")
    answered = len(traffic.refresh().replies)
    wait_until(lambda: len(traffic.refresh().replies) > answered + 50, LIMIT, "traffic after it")
    assert traffic.lost_between(began, time.time()) == 0
    assert (client.device().listen_port, client.index()) == (before[0].listen_port, before[1])

    gone = time.time()
    client.delete()
    Journal(sync.log).wait_for("interface made", since=gone, timeout=LIMIT)
    wait_until(lambda: traffic.refresh().replies[-1].at > gone + 1, LIMIT, "traffic again")
    assert client.device().firewall_mark == before[0].firewall_mark
    assert client.leaked() + net.underlay.leaked() == 0


def test_a_dry_run_writes_nothing(client: WgQuickClient, sync: Process) -> None:
    """It says all the same what it would do; and the key is never said."""
    assert not sync.alive
    before = (client.home / "sync.toml").read_bytes()

    said = client.adopt("--bring-up", "--dry-run")

    assert "would be written" in said
    assert client.wg0.keys.private not in said
    assert (client.home / "sync.toml").read_bytes() == before
    assert not (client.home / "wg0.key").exists()


def test_a_first_start_beside_it_without_any_document_leaves_its_routes_and_lets_nothing_out(
    net: Network, client: WgQuickClient, first: Process
) -> None:
    """With a kill switch, not even when the interface goes; and when a receiver comes, it is led as any other."""
    traffic = client.traffic()
    traffic.wait_until_flowing(via="w1")
    client.adopt("--bring-up")
    led, began, journal = client.led(), time.time(), Journal(first.log)

    first.start()
    journal.wait_for("receiver lost", timeout=LIMIT)
    answered = len(traffic.refresh().replies)
    wait_until(lambda: len(traffic.refresh().replies) > answered + 50, LIMIT, "traffic after it")
    assert client.led() == led
    assert traffic.lost_between(began, time.time()) == 0
    assert journal.lines("attention")[0]["remark"].startswith("kill switch: until the first peer set")

    client.delete()
    journal.wait_for("interface made", timeout=LIMIT)
    sent = len(traffic.refresh().sent)
    wait_until(lambda: len(traffic.refresh().sent) > sent + 50, LIMIT, "more to be sent")

    serve(client, net.workers, 1)
    wait_until(lambda: len(client.device().peers) == 2, LIMIT, "the workers to be peers")
    came = time.time()
    wait_until(lambda: traffic.refresh().replies[-1].at > came, LIMIT, "traffic again")
    assert "30102:" in client.led()
    assert client.leaked() + net.underlay.leaked() == 0
