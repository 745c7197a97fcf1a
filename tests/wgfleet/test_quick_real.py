"""Tests of wgfleet/quick.py with the real wg-quick and WireGuard."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.network import Network
from tests.lab.waiting import wait_until
from wgfleet.diff import WantedPeer
from wgfleet.dump import parse_dump
from wgfleet.keypair import new_key_pair
from wgfleet.peerset import PublishedWorker, WorkerState
from wgfleet.quick import configuration

pytestmark = pytest.mark.system

ADDRESS = "10.99.200.7"
NAME = "dev0"


@pytest.fixture
def net() -> Iterator[Network]:
    """One worker, and a client whose own interface is not up."""
    with Network(workers=1, clients=1) as network:
        network.client("c1").wg0.kill()
        yield network


@pytest.mark.parametrize("everything", [True, False])
@pytest.mark.parametrize("apart", [True, False])
def test_wg_quick_brings_a_device_up_that_reaches_its_worker(
    net: Network, tmp_path: Path, *, everything: bool, apart: bool
) -> None:
    """With all traffic or some in the tunnel; with the key in the file, or in another one that the file names."""
    device, server, pair = net.client("c1"), net.worker("w1"), new_key_pair()
    worker = PublishedWorker(
        name="w1",
        public_key=server.public_key,
        endpoints=(server.endpoint,),
        tunnel_addresses=(server.tunnel_address,),
        allowed_ips=("0.0.0.0/0",) if everything else ("192.168.0.0/16",),
        state=WorkerState.SERVING,
        reason="up",
        mtu=1380,
    )
    server.wg0.add_peer(WantedPeer(pair.public, None, (f"{ADDRESS}/32",), None))
    server.ip(f"route replace {ADDRESS}/32 dev wg0")
    key_file = tmp_path / f"{NAME}.key"
    key_file.write_text(pair.private)
    key = f"PostUp = wg set %i private-key {key_file}" if apart else f"PrivateKey = {pair.private}"
    file = tmp_path / f"{NAME}.conf"
    file.write_text(configuration(worker, addresses=(ADDRESS,), key=key))
    file.chmod(0o600)

    device.run("wg-quick", "up", file)
    try:
        wait_until(lambda: device.reaches(server.tunnel_address, timeout=0.1), 15, "the worker to answer")
        shown = parse_dump(NAME, device.run("wg", "show", NAME, "dump").encode())
        assert shown.public_key == pair.public
        assert [peer.public_key for peer in shown.peers] == [server.public_key]
        assert "mtu 1380" in device.run("ip", "link", "show", NAME)
    finally:
        device.run("wg-quick", "down", file)
