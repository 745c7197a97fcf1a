"""A second interface on workers, whose key they share: for devices that know one key and one endpoint."""

from tests.lab.keys import KeyPair
from tests.lab.machines import Client, Worker
from tests.lab.network import Network
from tests.lab.wireguard import Interface, Kernel, Userspace
from wgfleet.diff import WantedPeer

NAME = "wg1"
PORT = 51821
NETWORK = "10.98.0.0/16"
ADDRESS = "10.98.0.1"
"""The same on every worker: a device knows no difference."""
DEVICE = "10.98.0.7"
KEEPALIVE = 25
"""Seconds."""


def device(network: Network, keys: KeyPair, endpoint: str) -> tuple[Client, list[Interface]]:
    """A device that uses what all workers share, and their interfaces, which have it as a peer."""
    shared = [share(worker, keys) for worker in network.workers]
    machine = network.add_client()
    machine.wg0.addresses = [f"{DEVICE}/32"]
    machine.wg0.peers = [WantedPeer(keys.public, endpoint, ("0.0.0.0/0",), KEEPALIVE)]
    machine.wg0.restart()
    for worker, interface in zip(network.workers, shared, strict=True):
        interface.add_peer(WantedPeer(machine.public_key, None, (f"{DEVICE}/32",), None))
        worker.nft(
            "table ip shared { chain postrouting { type nat hook postrouting priority srcnat; "
            f"ip saddr {NETWORK} oifname lan masquerade; }}; }}\n"
        )
    return machine, shared


def share(worker: Worker, keys: KeyPair) -> Interface:
    """Bring it up, with no peers."""
    carrier = (Userspace if isinstance(worker.wg0.carrier, Userspace) else Kernel)(worker, NAME)
    interface = Interface(worker, NAME, keys, [f"{ADDRESS}/16"], carrier, listen_port=PORT)
    interface.start()
    return interface
