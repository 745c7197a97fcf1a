"""A second interface on workers, whose key they share: for devices that know one key and one endpoint."""

from tests.lab.keys import KeyPair
from tests.lab.machines import Worker
from tests.lab.wireguard import Interface, Kernel, Userspace

NAME = "wg1"
PORT = 51821
NETWORK = "10.98.0.0/16"
ADDRESS = "10.98.0.1"
"""The same on every worker: a device knows no difference."""


def share(worker: Worker, keys: KeyPair) -> Interface:
    """Bring it up, with no peers."""
    carrier = (Userspace if isinstance(worker.wg0.carrier, Userspace) else Kernel)(worker, NAME)
    interface = Interface(worker, NAME, keys, [f"{ADDRESS}/16"], carrier, listen_port=PORT)
    interface.start()
    return interface
