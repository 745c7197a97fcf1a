"""A driver on a real event loop, with an interface in memory and workers that answer as the test says."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from client_sync.cache import Documents, ManagedPeers
from client_sync.driver import Driver
from client_sync.interface import Interface
from client_sync.state import Settings, State
from tests.client_sync.device import FakeDevice
from tests.client_sync.samples import ALL, FLEET, peer_set, public_key, signed, worker
from tests.wgfleet.model import owners
from wgfleet.peerset import PeerSet
from wgfleet.signing import Signer, Verifier

SIGNER = Signer.generate()
SECONDS = 10.0
"""Whatever a test waits for has come long before, or never comes."""
CLIENT = "laptop-9"
"""Prefers w1, then w2 and w3."""

TWO = peer_set(worker(1), worker(2))


@dataclass
class Workers:
    """The workers as probes find them, by tunnel address."""

    silent: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    more: asyncio.Event = field(default_factory=asyncio.Event)
    counted: tuple[int, int] = (0, 0)
    """The packets that came in and went out."""

    def ask(self, address: str, heard: Callable[[], None]) -> bool:
        """As `Echo.ask`."""
        self.asked.append(address)
        self.more.set()
        if address not in self.silent:
            asyncio.get_running_loop().call_soon(heard)
        return True

    def packets(self) -> tuple[int, int]:
        """As `Counters`."""
        return self.counted


@dataclass
class Clock:
    """The loop's own, and what a slow device adds to it."""

    ahead: float = 0.0
    looked_at: asyncio.Event = field(default_factory=asyncio.Event)
    """The driver looks at the clock with everything that it does, and last after it."""

    def __call__(self) -> float:
        self.looked_at.set()
        return time.monotonic() + self.ahead


class Scene:
    """A driver and all that it drives."""

    def __init__(self, directory: Path, fake: FakeDevice, settings: Settings) -> None:
        self.directory = directory
        self.fake = fake
        self.workers = Workers()
        self.clock = Clock()
        self.shown: list[State] = []
        self.documents = Documents(directory, Verifier([SIGNER.public_text]), FLEET)
        self.driver = Driver(
            settings=settings,
            interface=Interface(
                "wg0",
                ManagedPeers(directory),
                lambda host, _port: (host,),
                manage_routes=True,
                wireguard=fake.door,
            ),
            documents=self.documents,
            prober=self.workers,
            packets=self.workers.packets,
            clock=self.clock,
            changed=self.shown.append,
        )

    @property
    def carrier(self) -> str | None:
        """The key of the peer that carries everything."""
        return owners(self.fake.device).get(ALL)

    @property
    def kept(self) -> PeerSet | None:
        """What the next run would find on disk."""
        return Documents(self.directory, Verifier([SIGNER.public_text]), FLEET).last_good()

    def receive(self, document: PeerSet) -> None:
        """A document arrives."""
        self.driver.document(signed(SIGNER, document))

    async def until(self, come: Callable[[], bool]) -> None:
        """Wait until it has come, looking whenever something was done."""
        async with asyncio.timeout(SECONDS):
            while not come():
                self.clock.looked_at.clear()
                await self.clock.looked_at.wait()

    async def until_carried_by(self, number: int) -> None:
        """Wait until this worker carries the traffic."""
        await self.until(lambda: self.carrier == public_key(number))


Play = Callable[[Scene], Coroutine[None, None, None]]
"""What happens in a scene."""


class Played(Protocol):
    """Plays it on an event loop of its own, and clears it away."""

    def __call__(
        self,
        play: Play,
        *,
        fake: FakeDevice | None = None,
        directory: Path | None = None,
        active_interval: float = 1.0,
        standby_interval: float = 5.0,
    ) -> None: ...


def said(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, object]]:
    """The facts of each line with this event."""
    return [getattr(record, "facts", {}) for record in caplog.records if record.getMessage() == event]
