"""The kill switch on real parts: what it bars when nothing else does, and that the tunnels go on beneath it."""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from client_sync.barring import Barred, ruleset
from tests.client_sync.own_network import in_own_network
from tests.lab import addresses
from tests.lab.bare import OUTSIDE
from tests.lab.perworker import PerWorkerClient
from tests.lab.waiting import wait_until
from tests.system.wire import LIMIT, SPRAY_PORT, Scene, scene_of

pytestmark = pytest.mark.system
TABLE = "table inet wgfleet_guard"


@pytest.fixture(scope="module", params=["single", "per-worker"])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    """With it."""
    with scene_of(per_worker=request.param != "single", kill_switch=True) as up:
        yield up


def switch(scene: Scene, word: str) -> str:
    """`wgfleet-sync open`, or `close`."""
    configuration = scene.fleet.network.directory / "c1.sync" / "sync.toml"
    return scene.client.run(sys.executable, "-m", "client_sync", word, "--config", configuration)


def end_routing(scene: Scene) -> None:
    """Take all policy rules away, as somebody might who does not know what they are for."""
    for family in ("-4", "-6"):
        rules = scene.client.run("ip", family, "rule", "show").splitlines()
        for number in {line.split(":")[0] for line in rules} - {"0", "32766", "32767"}:
            scene.client.run(
                "/bin/sh", "-c", f"while ip {family} rule del pref {number} 2>/dev/null; do :; done"
            )


def test_workers_come_and_go_beneath_it(scene: Scene) -> None:
    """A planned move, and a worker that dies."""
    scene.fleet.wait_until_warm()
    began = time.time()
    worker = scene.active
    scene.fleet.api.call("PUT", f"/v1/workers/{worker}/drain")
    scene.wait_until_moved(worker)
    scene.fleet.api.call("DELETE", f"/v1/workers/{worker}/drain")
    scene.fleet.wait_until_serving()
    scene.fleet.wait_until_warm()
    worker = scene.active

    scene.fleet.network.worker(worker).kill()

    scene.wait_until_moved(worker)
    assert scene.capture.in_clear(began) == []
    scene.fleet.network.worker(worker).restart()


def test_it_outlives_the_daemon_and_the_tunnel(scene: Scene) -> None:
    """Both are killed; it is there as before, and when they are back, so is the traffic."""
    began = time.time()
    daemon, tunnel = scene.fleet.sync["c1"], scene.tunnel(scene.active)
    daemon.kill()

    scene.client.ip(f"link delete dev {tunnel}")
    scene.traffic.wait_until_stopped()

    assert TABLE in scene.client.run("nft", "list", "tables")
    if not isinstance(scene.client, PerWorkerClient):
        scene.client.wg0.restart()
    daemon.start()
    scene.traffic.wait_until_flowing(LIMIT)
    assert scene.capture.in_clear(began) == []


def test_it_is_closed_before_anything_else_when_the_daemon_starts(scene: Scene) -> None:
    """As on a machine that has just started: no table, and no tunnel's interface either."""
    daemon, single = scene.fleet.sync["c1"], not isinstance(scene.client, PerWorkerClient)
    tunnel = scene.tunnel(scene.active)
    daemon.terminate()
    scene.client.ip(f"link delete dev {tunnel}")
    scene.client.nft(f"delete {TABLE}\n")

    daemon.launch()

    if single:
        assert daemon.wait(LIMIT) == 1, "without the interface it ends, and systemd starts it again"
    wait_until(lambda: TABLE in scene.client.run("nft", "list", "tables"), LIMIT, "it to be closed")
    if single:
        scene.client.wg0.restart()
        daemon.start()
    scene.traffic.wait_until_flowing(LIMIT)


def test_it_holds_when_no_rule_leads_into_the_tunnel_any_more(scene: Scene) -> None:
    """Opened, the same packets are on the wire, of both families; closed again, they are not. Nobody mends the rules."""
    daemon = scene.fleet.sync["c1"]
    daemon.kill()
    began = time.time()

    end_routing(scene)
    scene.traffic.wait_until_stopped()

    assert "dev eth0" in scene.client.run("ip", "route", "get", addresses.SERVICE)
    assert "dev eth0" in scene.client.run("ip", "-6", "route", "get", OUTSIDE)
    assert scene.capture.in_clear(began) == []

    opened = switch(scene, "open")

    assert opened.startswith("open: ")
    leaking = {
        f"protocol {protocol} to {address}, {SPRAY_PORT}"
        for protocol in (6, 17)
        for address in (addresses.SERVICE, OUTSIDE)
    }
    wait_until(lambda: leaking <= {*scene.capture.in_clear(began)}, LIMIT, "it to leak")

    assert switch(scene, "close") == "closed\n"
    scene.capture.packets()  # What was under way when it was closed is through.
    closed = time.time()
    wait_until(lambda: scene.traffic.refresh().sent[-1] > closed + 0.5, LIMIT, "more to be sent")
    assert scene.capture.in_clear(closed) == []


@pytest.mark.parametrize(
    "barred",
    [
        Barred(("0.0.0.0/0", "::/0"), 51820),
        Barred(("10.0.0.0/8", "10.1.0.0/16", "fd00::/8"), None, ("192.0.2.1:51820", "[fd00::1]:51820")),
        Barred(("10.0.0.0/8",)),
        Barred(()),
        Barred(("0.0.0.0/0", "::/0"), None, known=False, ports=(443, 9587), asks=True),
    ],
)
def test_nftables_takes_the_rules(barred: Barred) -> None:
    """Twice in a row, as each change is loaded."""
    rules = ruleset(barred, "wg-*", ["192.168.0.0/16", "fe80::/10"])

    def alone() -> str:
        for _ in range(2):
            subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
        return subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout

    assert in_own_network(alone).count(TABLE) == 1
