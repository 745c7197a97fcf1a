"""What echoes are sent into, in memory."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from client_sync.echo import Astray


@dataclass
class Air:
    """Stands behind `Echo`."""

    asked: list[tuple[str, str]] = field(default_factory=list)
    """Interface and address of each echo."""
    silent: set[str] = field(default_factory=set)
    """Addresses; or one `by` an interface."""
    unreachable: set[str] = field(default_factory=set)
    opened: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    astray: Astray | None = None
    """As of all that were opened."""
    taken: list[tuple[str, str, int, int]] = field(default_factory=list)
    """What each interface was given of others'."""

    def open(self, interface: str, astray: Astray) -> "Wave":
        """As `Echo`."""
        self.opened.append(interface)
        self.astray = astray
        return Wave(self, interface)


@dataclass
class Wave:
    """One interface's."""

    air: Air
    interface: str

    def ask(self, address: str, heard: Callable[[], None]) -> bool:
        """As `Echo.ask`."""
        self.air.asked.append((self.interface, address))
        if not self.air.silent & {address, f"{address} by {self.interface}"}:
            asyncio.get_running_loop().call_soon(heard)
        return address not in self.air.unreachable

    def take(self, address: str, identifier: int, sequence: int) -> None:
        """As `Echo.take`."""
        self.air.taken.append((self.interface, address, identifier, sequence))

    def close(self) -> None:
        """As `Echo.close`."""
        self.air.closed.append(self.interface)
