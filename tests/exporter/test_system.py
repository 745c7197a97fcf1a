"""The exporter on a machine with a real userspace WireGuard that comes and goes."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.exporter.pages import Series, families, series
from tests.exporter.test_main import scrape
from tests.lab.host import Host
from tests.lab.keys import new_key_pair
from tests.lab.launch import Launcher
from tests.lab.programs import program
from tests.lab.wireguard import Interface, Userspace
from wgfleet.diff import WantedPeer

pytestmark = pytest.mark.system

KEYS, PEER = new_key_pair(), new_key_pair()
WG0 = (("interface", "wg0"),)


@pytest.fixture
def wg0() -> Iterator[Interface]:
    """An interface with one peer, not yet started, on a machine of its own."""
    with Launcher() as launcher:
        host = Host(launcher, "worker", "")
        host.wait()
        peers = [WantedPeer(PEER.public, None, ("10.90.0.2/32",), 25)]
        yield Interface(
            host, "wg0", KEYS, ["10.90.0.1/24"], Userspace(host, "wg0"), listen_port=51820, peers=peers
        )


@pytest.fixture
def page(wg0: Interface) -> Callable[[], Series]:
    """Asks the exporter that runs on that machine."""
    command = [sys.executable, "-m", "exporter", "--interface=wg0"]
    wg0.host.spawn("exporter", command, ready=lambda: wg0.host.listens(9586))
    port = wg0.host.forward(9586).port
    return lambda: series(scrape(port))


def test_an_interface_is_shown_once_it_comes_and_no_longer_when_it_is_gone(
    wg0: Interface, page: Callable[[], Series]
) -> None:
    """The exporter started before it, outlives it and shows it again."""
    info = (
        ("backend", "userspace"),
        ("interface", "wg0"),
        ("listen_port", "51820"),
        ("public_key", KEYS.public),
    )
    peer = ("interface", "wg0"), ("public_key", PEER.public)
    expected = {
        ("wireguard_interface_info", info): 1,
        ("wireguard_interface_up", WG0): 1,
        ("wireguard_interface_mtu_bytes", WG0): wg0.mtu,
        ("wireguard_interface_peers", WG0): 1,
        ("wireguard_interface_never_seen_peers", WG0): 1,
        ("wireguard_peer_persistent_keepalive_interval_seconds", peer): 25,
        ("wireguard_exporter_collector_success", (("collector", "device"),)): 1,
        ("wireguard_exporter_collector_success", (("collector", "netdev"),)): 1,
    }

    def shown() -> bool:
        return expected.items() <= page().items()

    def gone() -> bool:
        values = page()
        of_wg0 = {key: value for key, value in values.items() if WG0[0] in key[1]}
        failed = values["wireguard_exporter_collector_success", (("collector", "device"),)] == 0
        return failed and of_wg0 == {("wireguard_interface_up", WG0): 0}

    assert gone()
    wg0.start()
    assert shown()
    wg0.kill()
    assert gone()
    wg0.restart()
    assert shown()


def test_promtool_finds_nothing_to_say_about_a_live_page(wg0: Interface, tmp_path: Path) -> None:
    """With everything on it that can be asked for."""
    wg0.start()
    (tmp_path / "names").write_text(f"{PEER.public} somebody\n")
    command = [
        sys.executable, "-m", "exporter", "--interface=wg0", "--peers.endpoints", "--peers.allowed-ips",
        f"--names.file={tmp_path}/names", "--compat.prometheus-wireguard-exporter", "--egress.probe=icmp:127.0.0.1",
    ]  # fmt: skip
    wg0.host.spawn("exporter", command, ready=lambda: wg0.host.listens(9586))

    page = scrape(wg0.host.forward(9586).port)

    checked = subprocess.run(
        [program("promtool"), "check", "metrics"], input=page, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    assert {"wireguard_peer_info", "wireguard_sent_bytes_total", "wireguard_worker_egress_up"} <= families(
        page
    )
