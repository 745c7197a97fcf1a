"""What echoes are sent into, in memory."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field


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

    def open(self, interface: str) -> "Wave":
        """As `Echo`."""
        self.opened.append(interface)
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

    def close(self) -> None:
        """As `Echo.close`."""
        self.air.closed.append(self.interface)
