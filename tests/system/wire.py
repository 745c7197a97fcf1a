"""One client of a whole fleet, and all that it puts on the wire: the scene of the stories about leaks."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from tests.lab import addresses
from tests.lab.bare import OUTSIDE
from tests.lab.capture import Capture
from tests.lab.fleet import Fleet, Profile
from tests.lab.inside import command
from tests.lab.machines import Client
from tests.lab.perworker import PerWorkerClient
from tests.lab.traffic import Traffic
from tests.lab.waiting import wait_until

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

    def wait_until_stopped(self) -> None:
        """An interface that the daemon made it may make again before anybody has noticed."""
        if not isinstance(self.client, PerWorkerClient):
            self.traffic.wait_until_stopped()

    def mend_tunnel(self) -> None:
        """What the machine's owner does; an interface that the daemon made it makes again itself."""
        if not isinstance(self.client, PerWorkerClient):
            self.client.wg0.restart()
        self.traffic.wait_until_flowing(LIMIT)


@contextlib.contextmanager
def scene_of(*, per_worker: bool, kill_switch: bool = False) -> Iterator[Scene]:
    """A full tunnel of both families; whatever goes wrong, a default route in clear is open to both."""
    profile = Profile(
        hold_down=1.0,
        hold_down_factor=1.0,
        local_failover=True,
        client=PerWorkerClient if per_worker else Client,
        kill_switch=kill_switch,
    )
    with Fleet(profile, clients=1) as fleet:
        client = fleet.network.client("c1")
        capture = Capture(fleet.network, client)
        open_six(client)
        fleet.wait_until_serving()
        if not per_worker:
            forget_dead_ends(client)
        for worker in fleet.network.workers:
            fleet.api.call("PATCH", f"/v1/workers/{worker.name}", body={"allowed_ips": ["0.0.0.0/0", "::/0"]})
        fleet.wait_until_serving()
        traffic = client.traffic()
        traffic.wait_until_flowing()
        way = f"ip -6 route get {OUTSIDE} || true"
        wait_until(lambda: "dev wg" in client.run("/bin/sh", "-c", way), LIMIT, "IPv6 to be led")
        spray = command("spray", SPRAY_MILLISECONDS, SPRAY_PORT, addresses.SERVICE, OUTSIDE)
        client.spawn("spray", spray, ready="sending")
        yield Scene(fleet, client, traffic, capture)


def forget_dead_ends(client: Client) -> None:
    """Take away what the lab itself laid beneath wg0's routes, and what the daemon has laid until now.

    With the next document it leads another family: what is there then it has laid itself, for both.
    """
    last = f"default metric {addresses.BLACKHOLE_METRIC} table {addresses.TUNNEL_TABLE}"
    client.run("/bin/sh", "-ec", f"ip -4 route del blackhole {last}; ip -6 route del unreachable {last}")


def open_six(client: Client) -> None:
    """Give it IPv6 on its cable, with a default route that really leads somewhere."""
    client.run("ip", "-6", "address", "replace", "2001:db8:1::2/64", "dev", "eth0", "nodad")
    client.run("ip", "-6", "route", "replace", "default", "via", STREET, "dev", "eth0")
    client.ip(f"neigh replace {STREET} lladdr 02:00:00:00:00:01 dev eth0 nud permanent")


def end_wireguard(client: Client, tunnel: str) -> None:
    """Kill the program; where it is the kernel's, which cannot die alone, delete the interface."""
    end = (
        f"for p in /proc/[0-9]*; do "
        f'[ "$(readlink $p/ns/net)" = "$(readlink /proc/self/ns/net)" ] && '
        f"tr '\\0' ' ' < $p/cmdline | grep -qE '^[^ ]*wireguard-go .*{tunnel} $' && kill -9 ${{p#/proc/}}; "
        f"done; true"
    )
    [was] = [line for line in links(client) if line.split()[1] == f"{tunnel}:"]
    number = was.split()[0]
    client.run("/bin/sh", "-c", end)
    wait_until(
        lambda: all(line.split()[0] != number for line in links(client)), LIMIT, f"{tunnel} to be gone"
    )


def links(client: Client) -> list[str]:
    """A line for each interface: its number, which is never given again, and its name, which a daemon gives again at once."""
    return client.run("ip", "-oneline", "link").splitlines()
