"""The exporter outside a network namespace, of an interface inside it."""

import os
import sys

import pytest

from exporter.netns import NetnsError, enter
from tests.exporter.pages import series
from tests.exporter.test_main import scrape
from tests.lab.host import Host
from tests.lab.keys import new_key_pair
from tests.lab.launch import Launcher
from tests.lab.wireguard import Interface, Userspace
from wgfleet.diff import WantedPeer


def test_a_namespace_that_is_not_there_is_refused() -> None:
    """By its name and its path."""
    with pytest.raises(NetnsError) as caught:
        enter("wgfleet-none")

    assert str(caught.value) == (
        "network namespace 'wgfleet-none': cannot open /run/netns/wgfleet-none: No such file or directory; "
        "`ip netns` lists them"
    )


def test_what_is_no_namespace_is_refused() -> None:
    """With what it should be."""
    with pytest.raises(NetnsError, match="must be a network namespace, and the exporter needs CAP_SYS_ADMIN"):
        enter(f"/proc/{os.getpid()}/status")


@pytest.mark.system
def test_an_interface_in_another_namespace_is_shown_from_outside() -> None:
    """The page is served where the exporter was started; device, peers and addresses are those inside."""
    keys, peer = new_key_pair(), new_key_pair()
    with Launcher() as launcher:
        host = Host(launcher, "worker", "")
        host.wait()
        # Seen on this host only, and gone with it: it has mounts of its own.
        host.run("mkdir", "-p", "/run/netns")
        host.run("mount", "-t", "tmpfs", "tmpfs", "/run/netns")
        host.run("ip", "netns", "add", "vpn")
        host.run("ip", "link", "add", "only-inside", "netns", "vpn", "type", "bridge")
        peers = [WantedPeer(peer.public, None, ("10.90.0.2/32",), 25)]
        wg0 = Interface(
            host, "wg0", keys, ["10.90.0.1/24"], Userspace(host, "wg0"), listen_port=51820, peers=peers
        )
        wg0.start()
        host.run("ip", "link", "set", "wg0", "netns", "vpn")
        command = [
            sys.executable,
            "-m",
            "exporter",
            "--netns=vpn",
            "--interface=wg0",
            "--interface=only-inside",
        ]
        host.spawn("exporter", command, ready=lambda: host.listens(9586))

        values = series(scrape(host.forward(9586).port))

    assert values["wireguard_interface_mtu_bytes", (("interface", "only-inside"),)] == 1500
    assert values["wireguard_interface_mtu_bytes", (("interface", "wg0"),)] == wg0.mtu
    assert values["wireguard_interface_peers", (("interface", "wg0"),)] == 1
    assert ("wireguard_worker_uplink_receive_bytes_total", (("device", "eth0"),)) not in values
