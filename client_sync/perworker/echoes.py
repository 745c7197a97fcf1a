"""Probes out of each worker's own interface, and the watch over workers that are being left."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection
from functools import partial
from typing import Protocol

from client_sync.echo import Astray, Echo
from client_sync.layout import Prober
from client_sync.perworker.layout import PerWorker
from client_sync.perworker.target import Target
from client_sync.traffic import Packets
from wgfleet.logs import say
from wgfleet.wg import WgError

log = logging.getLogger(__name__)
PROBE_SECONDS = 0.2
"""Between probes of a worker that is being left: its connections hang for three of them when it dies."""
ANSWER_SECONDS = 0.5
LOOK_SECONDS = 1.0
"""Between counts of connections, and between looks whether an interface is gone."""


class Opened(Prober, Protocol):
    """What has sockets, as `Echo`."""

    def take(self, address: str, identifier: int, sequence: int) -> None:
        """Take a reply, wherever it came in; one to others is nothing."""

    def close(self) -> None:
        """Close them."""


class Echoes:
    """One `Echo` for each interface."""

    def __init__(
        self,
        layout: PerWorker,
        open_echo: Callable[[str, Astray], Opened] = Echo,
        *,
        target: str | None = None,
    ) -> None:
        """Open none yet. With a target beyond the workers, the answers of one that leads nowhere count for nothing."""
        self._layout = layout
        self._open = open_echo
        self._beyond = target
        self._target = Target(target, layout, self._ask_by) if target is not None else None
        self._echoes: dict[str, Opened] = {}
        self._heard = self._asked = 0

    @property
    def watched(self) -> Packets:
        """Answers and probes that are not the driver's, and no traffic."""
        heard, asked = self._target.packets if self._target else (0, 0)
        return self._heard + heard, self._asked + asked

    def ask(self, address: str, heard: Callable[[], None]) -> bool:
        """Ask the worker with this address by its own interface, as `Echo` does."""
        worker = self._layout.worker_at(address)
        if worker is None:
            return False
        if self._target is None:
            return self._ask_by(worker, address, heard)
        self._target.worker_asked(worker)
        sent = self._ask_by(worker, address, partial(self._answered, worker, heard))
        self._target.ask_through(worker)
        return sent

    def _answered(self, worker: str, heard: Callable[[], None]) -> None:
        if self._target is None or self._target.worker_answered(worker):
            heard()
        else:
            self._heard += 1  # No traffic, though nobody is told.

    def _ask_by(self, worker: str, address: str, heard: Callable[[], None]) -> bool:
        device = self._layout.device_of(worker)
        if device not in self._echoes:
            self._forget_all_but(self._layout.devices)
            self._echoes[device] = self._open(device, self._astray)
        return self._echoes[device].ask(address, heard)

    async def watch(self, address: str, within: float) -> None:
        """Ask the worker with this address, and tell the layout whether it answered within so many seconds."""
        answered = asyncio.Event()

        def heard() -> None:
            self._heard += 1
            answered.set()

        if self.ask(address, heard):
            self._asked += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await answered.wait()
        self._layout.heard(address, answered=answered.is_set())

    def close(self) -> None:
        """Close all sockets."""
        if self._target is not None:
            self._target.close()
        self._forget_all_but(())

    def _astray(self, address: str, identifier: int, sequence: int) -> None:
        """Without NAT the target's answer comes back through the active worker, whichever it was asked through.

        A worker's own answer counts only by its own interface: no worker may answer in another one's name.
        """
        if address == self._beyond:
            for echo in tuple(self._echoes.values()):
                echo.take(address, identifier, sequence)

    def _forget_all_but(self, devices: Collection[str]) -> None:
        for gone in [device for device in self._echoes if device not in devices]:
            self._echoes.pop(gone).close()


async def watch(layout: PerWorker, echoes: Echoes, changed: Callable[[], None]) -> None:
    """For ever: end drains that are over, and make interfaces again that are gone.

    `changed` is called when another worker is being left, or no more, or its connections are counted for the first time.
    """
    loop = asyncio.get_running_loop()
    looked_at = loop.time()
    said_unknown = False
    before: dict[str, bool] = {}
    while True:
        if layout.draining:
            await asyncio.sleep(PROBE_SECONDS)
        else:
            layout.drain_began.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await layout.drain_began.wait()
        await asyncio.gather(*(echoes.watch(address, ANSWER_SECONDS) for address in layout.watched))
        try:
            if loop.time() - looked_at >= LOOK_SECONDS:
                looked_at = loop.time()
                layout.mend()
                counting = layout.draining.keys()  # A drain that begins meanwhile is counted the next time.
                left = await asyncio.to_thread(layout.flows) if counting else {}
                if left is None and not said_unknown:
                    said_unknown = True
                    say(
                        log,
                        "connections cannot be counted, drains last until their deadline",
                        level=logging.WARNING,
                    )
                layout.counted({name: count for name, count in (left or {}).items() if name in counting})
            layout.end_drains()
        except (WgError, OSError) as error:
            say(log, "not applied", level=logging.ERROR, error=error)
        now = {name: count is None for name, count in layout.connections_left.items()}
        if now != before:
            before = now
            changed()
