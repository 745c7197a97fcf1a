"""Two workers share an identity and an anycast address; real BIRDs announce it, and a router follows them."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from client_sync.worker.silence import TABLE
from tests.deploy.programs import program
from tests.lab.addresses import SERVICE, TUNNEL_TABLE, UNDERLAY_GATEWAY
from tests.lab.host import CommandError, Host
from tests.lab.keys import new_key_pair
from tests.lab.machines import Worker
from tests.lab.programs import library_path
from tests.lab.shared import ADDRESS, NAME, NETWORK, PORT, share
from tests.lab.waiting import wait_until
from tests.system.site import LIMIT, Site
from wgfleet.dump import parse_dump

pytestmark = pytest.mark.system

ANYCAST = "198.18.0.1"
NOBODY = "Network not found"
"""What birdc says of an address that nobody announces."""
DEPLOY = Path(__file__).parents[2] / "deploy" / "anycast"
ROUTER = f"""
router id {UNDERLAY_GATEWAY};
protocol device {{ }}
protocol kernel {{ ipv4 {{ import none; export all; }}; }}
template bgp worker {{
    local {UNDERLAY_GATEWAY} as 64512;
    connect delay time 1;
    ipv4 {{ import all; export none; }};
}}
"""


class Story:
    """The site, its two workers with what they share, and the router that is the underlay."""

    def __init__(self, site: Site) -> None:
        """Everything up, both workers serving, and a device that uses the anycast address."""
        self.site = site
        self.router = site.network.underlay
        peers = "".join(
            f"protocol bgp {worker.name} from worker {{ neighbor {worker.address} as 64513; }}\n"
            for worker in site.network.workers
        )
        self.bird(self.router, ROUTER + peers)
        # Devices and workers are on one link here: a redirect would nail a device to the worker that it began with.
        for which in ("all", "underlay"):
            self.router.sysctl(f"net.ipv4.conf.{which}.send_redirects", 0)
        self.device_file = site.directory / "dev0.conf"
        site.wgfleet("client", "add", "phone1", "--shared", "--config", self.device_file)
        self.shared = {worker.name: share(worker, KEYS) for worker in site.network.workers}
        for worker in site.network.workers:
            self._join(worker)
        for worker in site.network.workers:
            site.wgfleet("worker", "admit", worker.name, "--force")
        for worker in site.network.workers:
            wait_until(lambda worker=worker: self.attracts(worker), LIMIT, f"{worker.name} to attract")  # type: ignore[misc] # mypy does not see the default.

    def bird(self, host: Host, configuration: str) -> None:
        """BIRD on a machine."""
        file = self.site.directory / f"{host.name}.bird.conf"
        file.write_text(configuration)
        command: list[str | Path] = [
            program("bird"),
            "-f",
            "-c",
            file,
            "-s",
            self.socket(host),
            "-P",
            f"{file}.pid",
        ]
        host.spawn("bird", command, ready=self.socket(host).exists, environment=self.environment)

    def birdc(self, host: Host, *words: str) -> str:
        """What it answers."""
        library = f"LD_LIBRARY_PATH={library_path()}"
        return host.run("env", library, program("birdc"), "-s", self.socket(host), *words)

    @property
    def environment(self) -> dict[str, str]:
        """Of what was unpacked."""
        return {"LD_LIBRARY_PATH": library_path()}

    def socket(self, host: Host) -> Path:
        """BIRD's control socket."""
        return self.site.directory / f"{host.name}.bird.ctl"

    def health(self, worker: Worker, *words: str) -> list[str]:
        """The command on a worker."""
        file = str(self.site.sync_home(worker) / "sync.toml")
        return [sys.executable, "-m", "client_sync", "health", "--config", file, *words]

    def attracts(self, worker: Worker) -> bool:
        """What the command says there, by its exit status."""
        return (
            worker.run("sh", "-c", '"$@" >&2 && echo yes || echo no', "sh", *self.health(worker)) == "yes\n"
        )

    def announcing(self) -> set[str]:
        """The workers whose announcement the router has."""
        try:
            said = self.birdc(self.router, "show", "route", "for", ANYCAST, "all")
        except CommandError as error:
            if NOBODY in str(error):  # And an exit status of 1.
                return set()
            raise
        return {worker.name for worker in self.site.network.workers if f"via {worker.address} " in said}

    def leads_to(self) -> str | None:
        """The worker that the router's kernel sends packets for the address to."""
        (route,) = json.loads(self.router.run("ip", "-json", "route", "get", ANYCAST))
        named = {worker.address: worker.name for worker in self.site.network.workers}
        return named.get(route.get("gateway"))

    def _join(self, worker: Worker) -> None:
        site = self.site
        bundle = site.bundle(
            "worker", worker.name, "--endpoint", worker.endpoint, "--tunnel-address", worker.tunnel_address,
        )  # fmt: skip
        site.enroll(worker, bundle)
        with (site.sync_home(worker) / "sync.toml").open("a") as file:
            file.write(
                f'shared_interface = "{NAME}"\nshared_networks = ["{NETWORK}"]\nmasquerade = ["lan"]\n'
            )
        site.sync = site.run_daemon(worker, ready='"event": "following"')
        worker.ip(f"address add {ANYCAST}/32 dev lo")
        worker.nft((DEPLOY / "source.nft").read_text())
        self.bird(worker, (DEPLOY / "bird.conf").read_text().replace("192.0.2.11", worker.address))
        sync = f"{sys.executable} -m client_sync"
        birdc = f"env LD_LIBRARY_PATH={library_path()} {program('birdc')} -s {self.socket(worker)}"
        wrapper = site.directory / f"{worker.name}.wgfleet-sync"
        # The script gives words to the command, and no configuration.
        wrapper.write_text(f'#!/bin/sh\nexec {sync} "$@" --config {site.sync_home(worker) / "sync.toml"}\n')
        wrapper.chmod(0o700)
        told = {"BIRDC": birdc, "WGFLEET_SYNC": str(wrapper)}
        worker.spawn("anycast", [DEPLOY / "wgfleet-anycast", "bird", "anycast"], environment=told)


KEYS = new_key_pair()


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    """Both workers announce the address, and serve."""
    program("bird")  # Skips, or fails, where there is none.
    shared = {
        "public_key": KEYS.public,
        "endpoint": f"{ANYCAST}:{PORT}",
        "pools": [NETWORK],
        "tunnel_addresses": [ADDRESS],
        "keepalive": 1,
    }
    with Site(2, shared=shared) as site:
        yield Story(site)


@pytest.fixture
def both(story: Story) -> Story:
    """With both announcing."""
    wait_until(lambda: story.announcing() == {"w1", "w2"}, LIMIT, "both announcements")
    return story


def test_a_device_that_uses_the_address_moves_with_it_when_a_worker_is_drained(both: Story) -> None:
    """The drained worker's route is withdrawn, packets reach the other, and the device has its way out again."""
    site, device = both.site, both.site.client
    device.wg0.kill()
    device.ip("rule delete priority 32765", "rule delete priority 32764", f"route flush table {TUNNEL_TABLE}")
    device.run("mount", "-t", "tmpfs", "tmpfs", "/etc/wireguard")
    device.run("wg-quick", "up", both.device_file)
    wait_until(lambda: device.reaches(SERVICE), LIMIT, "an answer from beyond a worker")
    first = both.leads_to()
    assert first in both.shared
    assert site.network.monitoring.reaches(ANYCAST)

    site.wgfleet("worker", "drain", first)

    (other,) = both.shared.keys() - {first}
    wait_until(lambda: both.announcing() == {other}, LIMIT, "the withdrawal")
    wait_until(lambda: both.leads_to() == other, LIMIT, "packets to go to the other")
    assert site.network.monitoring.reaches(ANYCAST)
    wait_until(lambda: device.reaches(SERVICE), LIMIT, "an answer from beyond the other")
    peers = both.shared[other].device
    wait_until(lambda: any(one.latest_handshake for one in peers().peers), LIMIT, "a session with the other")
    site.wgfleet("worker", "undrain", first)


def test_what_a_worker_says_comes_from_the_address(both: Story) -> None:
    """Also when it does not answer, which the daemon keeps it from: a device would go on with that worker's own address."""
    device = both.site.client
    port, key = (device.run("wg", "show", "dev0", what).strip() for what in ("listen-port", "public-key"))
    (idle,) = both.shared.keys() - {both.leads_to()}
    shared = both.shared[idle]
    keepalive = ("peer", key, "endpoint", f"{device.address}:{port}", "persistent-keepalive")

    def heard() -> bool:
        """With the daemon's own rules away, which it sets again."""
        shared.host.run("sh", "-c", f"nft delete table {TABLE} || true")
        shared.set(*keepalive, "off")
        shared.set(*keepalive, "1")
        return any(one.latest_handshake for one in shared.device().peers)

    wait_until(heard, LIMIT, "a session with it")
    [peer] = parse_dump("dev0", device.run("wg", "show", "dev0", "dump").encode()).peers
    assert peer.endpoint == f"{ANYCAST}:{PORT}"
    shared.set(*keepalive, "off")
    wait_until(lambda: TABLE in shared.host.run("nft", "list", "tables"), LIMIT, "the daemon's rules")


def test_a_device_is_a_peer_of_the_shared_interface_alone(both: Story) -> None:
    """On every worker; the way back to it is by its address."""
    key = new_key_pair().public

    both.site.wgfleet("client", "add", "phone2", "--shared", "--public-key", key, "--config", "-")

    for worker in both.site.network.workers:
        shared = both.shared[worker.name]
        wait_until(lambda shared=shared: shared.device().peer(key) is not None, LIMIT, "the peer")  # type: ignore[misc] # Likewise.
        assert worker.wg0.device().peer(key) is None
    both.site.wgfleet("client", "revoke", "phone2", "--wait")
    assert all(shared.device().peer(key) is None for shared in both.shared.values())


def test_a_shared_interface_that_is_gone_withdraws_at_once(both: Story) -> None:
    """Nobody else need have noticed; when it is back, so is the announcement."""
    both.shared["w1"].kill()

    wait_until(lambda: both.announcing() == {"w2"}, LIMIT, "the withdrawal")
    said = both.site.network.worker("w1").run(
        "sh", "-c", '"$@" || true', "sh", *both.health(both.site.worker, "--json")
    )
    assert json.loads(said)["reason"] == f"interface {NAME} is not up"
    both.shared["w1"].start()
    wait_until(lambda: both.announcing() == {"w1", "w2"}, LIMIT, "the announcement")


def test_a_bird_that_is_configured_anew_announces_again(both: Story) -> None:
    """It begins as its file says, without the route, and is told again."""
    worker = both.site.network.worker("w2")
    both.birdc(worker, "configure")

    wait_until(lambda: both.announcing() == {"w1"}, LIMIT, "the file's own state")
    wait_until(lambda: both.announcing() == {"w1", "w2"}, LIMIT, "the announcement")


def test_with_receiver_and_daemon_gone_announcements_stay(both: Story) -> None:
    """What they said last counts."""
    both.site.receiver.kill()
    both.site.sync.kill()

    assert all(map(both.attracts, both.site.network.workers))
    assert both.announcing() == {"w1", "w2"}
