"""What the driver needs of the interfaces, however many there are."""

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from wgfleet.device import Device
from wgfleet.peerset import PublishedWorker

Workers = Mapping[str, PublishedWorker]


class Layout(Protocol):
    """One interface with all workers as its peers (interface.py), or one for each worker (perworker/)."""

    @property
    def mark(self) -> int | None:
        """The tunnels' firewall mark; the control connection has it too."""

    @property
    def connections_left(self) -> Mapping[str, int | None]:
        """How many connections each worker that is being left still carries; None: that is not known."""

    def read(self) -> Device:
        """What there is, as one device. Raises WgError."""

    def holder(self, workers: Workers) -> str | None:
        """The worker that carries the traffic at present. Raises WgError."""

    def configure(self, workers: Workers, active: str | None, silent: Collection[str] = ()) -> None:
        """Keep all workers warm, and let the active one carry the traffic. Raises WgError.

        `silent` are those that own probes find dead: no connection is kept on them.
        """

    def recreate(self, worker: PublishedWorker) -> None:
        """Make a standby's session anew, at its next endpoint. Raises WgError."""

    def redirect(self, worker: PublishedWorker) -> None:
        """Send to the active worker at its next endpoint. Nothing is taken from it. Raises WgError."""


class Prober(Protocol):
    """What probes through the interfaces, as `Echo` does through one."""

    def ask(self, address: str, heard: Callable[[], None]) -> bool:
        """Send one echo to the worker with this address; `heard` is called once if it answers. False: it could not be sent."""
