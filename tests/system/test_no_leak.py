"""What a client puts on the wire while workers, tunnels, daemons and the receiver come and go: nothing in clear.

All of it is captured at the other end of the client's cable, of IPv4 and IPv6, while the client sends by both, and the
route in clear is open to both. The control connection is the one exception.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.lab import addresses
from tests.lab.capture import Capture, beacon, is_control
from tests.lab.fleet import Fleet, Profile
from tests.lab.inside import command
from tests.lab.machines import Client
from tests.lab.perworker import OUTSIDE, PerWorkerClient
from tests.lab.traffic import Traffic
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.system
LIMIT = 60.0
STREET = "2001:db8:1::1"
"""The next machine of the client's default route in clear, of IPv6."""
SPRAY_PORT, SPRAY_MILLISECONDS = 99, 20


@dataclass(frozen=True)
class Scene:
    """One client, its traffic, and all that it puts on the wire."""

    fleet: Fleet
    client: Client
    traffic: Traffic
    capture: Capture

    @property
    def active(self) -> str:
        """The worker that carries the traffic."""
        return wait_until(lambda: self.fleet.active("c1"), LIMIT, "a worker to be active")

    def tunnel(self, worker: str) -> str:
        """The name of the interface to this worker."""
        return f"wg-{worker}" if isinstance(self.client, PerWorkerClient) else "wg0"

    def wait_until_moved(self, worker: str) -> None:
        """Wait until another carries the traffic, and it flows."""
        wait_until(lambda: self.fleet.active("c1") not in {None, worker}, LIMIT, f"{worker} to be left")
        self.traffic.wait_until_flowing(LIMIT)

    def mend_tunnel(self) -> None:
        """What the machine's owner does; an interface that the daemon made it makes again itself."""
        if not isinstance(self.client, PerWorkerClient):
            self.client.wg0.restart()
        self.traffic.wait_until_flowing(LIMIT)


@pytest.fixture(scope="module", params=["single", "per-worker"])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    """A full tunnel of both families; whatever goes wrong, a default route in clear is open to both."""
    profile = Profile(
        hold_down=1.0, hold_down_factor=1.0, local_failover=True, per_worker=request.param != "single"
    )
    with Fleet(profile, clients=1) as fleet:
        client = fleet.network.client("c1")
        capture = Capture(fleet.network, client)
        open_six(client)
        fleet.wait_until_serving()
        for worker in fleet.network.workers:
            fleet.api.call("PATCH", f"/v1/workers/{worker.name}", body={"allowed_ips": ["0.0.0.0/0", "::/0"]})
        fleet.wait_until_serving()
        traffic = client.traffic()
        traffic.wait_until_flowing()
        wait_until(
            lambda: "dev wg" in client.run("ip", "-6", "route", "get", OUTSIDE), LIMIT, "IPv6 to be led"
        )
        spray = command("spray", SPRAY_MILLISECONDS, SPRAY_PORT, addresses.SERVICE, OUTSIDE)
        client.spawn("spray", spray, ready="sending")
        yield Scene(fleet, client, traffic, capture)


def open_six(client: Client) -> None:
    """Give it IPv6 on its cable, with a default route that really leads somewhere."""
    client.run("ip", "-6", "address", "replace", "2001:db8:1::2/64", "dev", "eth0", "nodad")
    client.run("ip", "-6", "route", "replace", "default", "via", STREET, "dev", "eth0")
    client.ip(f"neigh replace {STREET} lladdr 02:00:00:00:00:01 dev eth0 nud permanent")


def test_what_is_sent_in_clear_is_seen(scene: Scene) -> None:
    """Of both families; or all that follows says nothing."""
    began = time.time()

    beacon(scene.client, addresses.SERVICE, 9)
    beacon(scene.client, OUTSIDE, 9)

    assert scene.capture.in_clear(began) == [
        f"protocol 17 to {addresses.SERVICE}, 9",
        f"protocol 17 to {OUTSIDE}, 9",
    ]


@pytest.fixture
def quiet(scene: Scene) -> Iterator[Scene]:
    """Everything as it should be; and whatever the story does, nothing in clear from its begin to its end."""
    scene.fleet.wait_until_serving()
    scene.traffic.wait_until_flowing(LIMIT)
    began = time.time()
    yield scene
    scene.traffic.wait_until_flowing(LIMIT)
    assert scene.capture.in_clear(began) == []


def test_a_planned_move(quiet: Scene) -> None:
    """An operator drains the worker."""
    worker = quiet.active

    quiet.fleet.api.call("PUT", f"/v1/workers/{worker}/drain")

    quiet.wait_until_moved(worker)
    quiet.fleet.api.call("DELETE", f"/v1/workers/{worker}/drain")


def test_a_worker_that_dies(quiet: Scene) -> None:
    """The client leaves it by its own probes."""
    quiet.fleet.wait_until_warm()
    worker = quiet.active
    machine = quiet.fleet.network.worker(worker)

    machine.kill()

    quiet.wait_until_moved(worker)
    machine.restart()


def test_a_worker_that_is_banned(quiet: Scene) -> None:
    """Nothing may use it from then on."""
    worker = quiet.active

    quiet.fleet.api.call("PUT", f"/v1/workers/{worker}/ban")

    quiet.wait_until_moved(worker)
    quiet.fleet.api.call("DELETE", f"/v1/workers/{worker}/ban")


def test_the_daemon_killed_and_started_again(quiet: Scene) -> None:
    """The traffic goes on meanwhile."""
    daemon = quiet.fleet.sync["c1"]

    daemon.kill()
    quiet.traffic.wait_until_flowing()
    daemon.start()


def test_the_tunnels_interface_deleted(quiet: Scene) -> None:
    """Its routes vanish with it."""
    quiet.client.ip(f"link delete dev {quiet.tunnel(quiet.active)}")

    quiet.traffic.wait_until_stopped()
    quiet.mend_tunnel()


def test_the_tunnels_interface_taken_down(quiet: Scene) -> None:
    """Its routes vanish, too."""
    tunnel = quiet.tunnel(quiet.active)

    quiet.client.ip(f"link set dev {tunnel} down")
    quiet.traffic.wait_until_stopped()

    quiet.client.ip(f"link set dev {tunnel} up")


def test_the_tunnels_interface_deleted_while_no_daemon_runs(quiet: Scene) -> None:
    """Nobody is there to mend anything."""
    daemon = quiet.fleet.sync["c1"]
    tunnel = quiet.tunnel(quiet.active)
    daemon.kill()

    quiet.client.ip(f"link delete dev {tunnel}")
    quiet.traffic.wait_until_stopped()

    if not isinstance(quiet.client, PerWorkerClient):
        quiet.client.wg0.restart()
    daemon.start()


def test_the_clients_wireguard_killed(quiet: Scene) -> None:
    """In userspace it is a program, which can be killed; the kernel takes its interface away."""
    end_wireguard(quiet.client, quiet.tunnel(quiet.active))

    quiet.traffic.wait_until_stopped()
    quiet.mend_tunnel()


def end_wireguard(client: Client, tunnel: str) -> None:
    """Kill the program; where it is the kernel's, which cannot die alone, delete the interface."""
    end = (
        f"for p in /proc/[0-9]*; do "
        f'[ "$(readlink $p/ns/net)" = "$(readlink /proc/self/ns/net)" ] && '
        f"tr '\\0' ' ' < $p/cmdline | grep -qE '^[^ ]*wireguard-go .*{tunnel} $' && kill -9 ${{p#/proc/}}; "
        f"done; true"
    )
    client.run("/bin/sh", "-c", end)
    wait_until(
        lambda: f" {tunnel}:" not in client.run("ip", "-oneline", "link"), LIMIT, f"{tunnel} to be gone"
    )


def test_the_receiver_away_while_a_worker_dies(quiet: Scene) -> None:
    """The daemon keeps asking for the receiver, marked, and moves by itself."""
    quiet.fleet.wait_until_warm()
    worker = quiet.active
    machine = quiet.fleet.network.worker(worker)
    quiet.fleet.receiver.kill()
    began = time.time()

    machine.kill()

    quiet.wait_until_moved(worker)
    assert any(is_control(packet) for packet in quiet.capture.packets(began))
    machine.restart()
    quiet.fleet.receiver.start()


def test_a_worker_that_is_removed(scene: Scene) -> None:
    """For good; so it comes last."""
    worker = scene.active
    began = time.time()

    scene.fleet.api.call("DELETE", f"/v1/workers/{worker}")

    scene.wait_until_moved(worker)
    assert scene.capture.in_clear(began) == []
