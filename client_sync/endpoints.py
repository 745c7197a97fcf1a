"""Which of a worker's endpoints is tried: the next one, whenever its session is made anew. A name is one for each address."""

import ipaddress
from collections.abc import Callable, Sequence

from wgfleet.device import Device
from wgfleet.diff import Kind, PeerChange
from wgfleet.names import split_endpoint
from wgfleet.peerset import PublishedWorker

Resolve = Callable[[str, int], Sequence[str]]


class Endpoints:
    """The endpoints of all workers, in turn."""

    def __init__(self, resolve: Resolve) -> None:
        """`resolve` gives the addresses of a host name, or an address itself; nothing if there are none."""
        self._resolve = resolve
        self._attempts: dict[str, int] = {}

    def advance(self, worker: str) -> None:
        """Take the worker's next one from now on."""
        self._attempts[worker] = self._attempts.get(worker, 0) + 1

    def redirected(self, worker: PublishedWorker, device: Device) -> tuple[PeerChange, ...]:
        """What leads an active worker's peer to its next endpoint; nothing is taken from it."""
        self.advance(worker.name)
        peer, endpoint = device.peer(worker.public_key), self.of(worker, None)
        if peer is None or endpoint in (None, peer.endpoint):
            return ()
        return (PeerChange(Kind.UPDATE, worker.public_key, endpoint),)

    def of(self, worker: PublishedWorker, device: Device | None) -> str | None:
        """The endpoint in turn, as `address:port`. A peer that has one of the worker's own is left at it."""
        if not worker.endpoints:
            return None
        peer = device.peer(worker.public_key) if device is not None else None
        if peer is not None and peer.endpoint in worker.endpoints:
            return peer.endpoint
        places = self._places(worker)
        if peer is not None and peer.endpoint in places:
            return peer.endpoint
        return places[self._attempts.get(worker.name, 0) % len(places)] if places else None

    def _places(self, worker: PublishedWorker) -> list[str]:
        ends = map(split_endpoint, worker.endpoints)
        return [place(address, port) for host, port in ends for address in self._resolve(host, port)]


def place(address: str, port: int) -> str:
    """As `wg` says it."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def may_be_elsewhere(worker: PublishedWorker) -> bool:
    """Whether there is more than one place where it may be."""
    return len(worker.endpoints) > 1 or any(map(_is_name, worker.endpoints))


def _is_name(endpoint: str) -> bool:
    try:
        ipaddress.ip_address(split_endpoint(endpoint)[0])
    except ValueError:
        return True
    return False
