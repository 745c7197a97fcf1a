"""Which of a worker's endpoints is tried: the next one, whenever its session is made anew."""

from collections.abc import Callable

from wgfleet.device import Device
from wgfleet.names import split_endpoint
from wgfleet.peerset import PublishedWorker

Resolve = Callable[[str, int], str | None]


class Endpoints:
    """The endpoints of all workers, in turn."""

    def __init__(self, resolve: Resolve) -> None:
        """`resolve` gives an address for a host name, or None."""
        self._resolve = resolve
        self._attempts: dict[str, int] = {}

    def advance(self, worker: str) -> None:
        """Take the worker's next one from now on."""
        self._attempts[worker] = self._attempts.get(worker, 0) + 1

    def of(self, worker: PublishedWorker, device: Device | None) -> str | None:
        """The endpoint in turn. A peer that has one of the worker's own is left at it."""
        if not worker.endpoints:
            return None
        peer = device.peer(worker.public_key) if device is not None else None
        if peer is not None and peer.endpoint in worker.endpoints:
            return peer.endpoint
        endpoint = worker.endpoints[self._attempts.get(worker.name, 0) % len(worker.endpoints)]
        host, port = split_endpoint(endpoint)
        address = self._resolve(host, port)
        if address is None:
            return None
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
