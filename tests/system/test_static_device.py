"""What a device without the daemon is given carries its traffic, through a worker that has heard of it; with the real wg-quick."""

import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.addresses import SERVICE, TUNNEL_TABLE
from tests.lab.machines import Client
from tests.lab.waiting import wait_until
from tests.system.site import LIMIT, Site
from wgfleet.files import write_whole
from wgfleet.wgconf import parse

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The worker has joined and follows the client list; the client has no interface, and no rules of one."""
    with Site() as site:
        worker, client = site.worker, site.client
        bundle = site.bundle(
            "worker", "w1", "--endpoint", worker.endpoint, "--tunnel-address", worker.tunnel_address,
            "--allowed-ips", "0.0.0.0/0", "--mtu", "1380",
        )  # fmt: skip
        site.enroll(worker, bundle)
        site.sync = site.run_daemon(worker, ready='"event": "following"')
        client.wg0.kill()
        client.ip(
            "rule delete priority 32765", "rule delete priority 32764", f"route flush table {TUNNEL_TABLE}"
        )
        # Its own, and not that of the machine which the lab is on.
        client.run("mount", "-t", "tmpfs", "tmpfs", "/etc/wireguard")
        yield site


@pytest.fixture
def device(site: Site) -> Iterator[Client]:
    """A machine on which wg-quick has not brought anything up."""
    yield site.client
    for name in ("dev0", "wg0"):
        if name in site.client.run("wg", "show", "interfaces").split():
            site.client.run("wg-quick", "down", _file(site, name))


def _file(site: Site, interface: str) -> Path:
    """Where its configuration is: wg-quick names the interface after the file."""
    return site.directory / f"{interface}.conf"


def _secret(text: str) -> str:
    (line,) = [line for line in text.splitlines() if line.startswith("PrivateKey = ")]
    return line.removeprefix("PrivateKey = ")


def test_a_devices_file_carries_its_traffic_until_it_is_revoked(site: Site, device: Client) -> None:
    """The operator makes it, the worker hears of it, wg-quick takes it; the key is in no log of any daemon."""
    file = _file(site, "dev0")
    said = site.wgfleet("client", "add", "phone1", "--config", file, "--worker", "w1")
    text = file.read_text()
    made = parse(text).interface
    assert made is not None
    assert made.public_key is not None
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    site.wait_for_peer(made.public_key)
    # wg(8) itself reads what wg-quick leaves for it.
    assert "[Peer]" in device.run("wg-quick", "strip", file)
    assert not device.reaches(SERVICE)

    device.run("wg-quick", "up", file)

    wait_until(lambda: device.reaches(SERVICE), LIMIT, "an answer from beyond the worker")
    assert "mtu 1380" in device.run("ip", "link", "show", "dev0")
    logs = b"".join(log.read_bytes() for log in site.directory.glob("*.log"))
    assert b"following" in logs
    assert _secret(text).encode() not in logs
    assert _secret(text) not in said

    site.wgfleet("client", "revoke", "phone1", "--wait")

    assert not device.reaches(SERVICE)


def test_whoever_takes_over_by_hand_has_the_way_out_that_the_daemon_had(site: Site, device: Client) -> None:
    """As docs/clients.md says it, with the receiver gone; the key stays, and is in no file but its own."""
    file = _file(site, "wg0")
    site.wgfleet("client", "add", "ann", "--config", file)
    key = _secret(file.read_text())
    device.run("wg-quick", "up", file)
    site.enroll(device, site.bundle("client", "ann", "--again"))
    daemon = site.run_daemon(device, ready='"event": "following"')
    wait_until(lambda: site.status(device)["active"] == "w1", LIMIT, "the daemon to use the worker")
    site.receiver.kill()

    device.run("sh", "-ec", "umask 077; wg show wg0 private-key > /etc/wireguard/wg0.key")
    sync_file = site.sync_home(device) / "sync.toml"
    text = device.run(sys.executable, "-m", "client_sync", "render", "--config", sync_file)
    daemon.terminate()
    device.run("wg-quick", "down", file)
    write_whole(file, text.encode())
    assert not device.reaches(SERVICE)
    device.run("wg-quick", "up", file)

    wait_until(lambda: device.reaches(SERVICE), LIMIT, "an answer from beyond the worker")
    assert key not in text
    assert "\nMTU = 1380\n" in text
