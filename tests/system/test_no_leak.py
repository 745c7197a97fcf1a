"""What a client puts on the wire while workers, tunnels, daemons and the receiver come and go: nothing in clear.

All of it is captured at the other end of the client's cable, of IPv4 and IPv6, while the client sends by both, and the
route in clear is open to both. The control connection is the one exception.
"""

import time
from collections.abc import Iterator

import pytest

from tests.lab import addresses
from tests.lab.bare import OUTSIDE
from tests.lab.capture import beacon, is_control
from tests.lab.perworker import PerWorkerClient
from tests.system.wire import Scene, end_wireguard, scene_of

pytestmark = pytest.mark.system
LIMIT = 60.0


@pytest.fixture(scope="module", params=["single", "per-worker"])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    """With what each layout lays beneath its routes, and no kill switch."""
    with scene_of(per_worker=request.param != "single") as up:
        yield up


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

    quiet.wait_until_stopped()
    quiet.mend_tunnel()


def test_the_tunnels_interface_taken_down(quiet: Scene) -> None:
    """Its routes vanish, too."""
    tunnel = quiet.tunnel(quiet.active)

    quiet.client.ip(f"link set dev {tunnel} down")
    quiet.wait_until_stopped()

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

    quiet.wait_until_stopped()
    quiet.mend_tunnel()


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
