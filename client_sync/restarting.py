"""`apply = "restart"`: each change is written into wg-quick's file, and the interface is restarted. For where nothing else works."""

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from client_sync.cache import ManagedPeers
from client_sync.endpoints import Endpoints
from client_sync.layout import Workers
from client_sync.peers import holder, wanted_peers
from client_sync.quickfile import QuickFileError, edited, keys
from client_sync.tunnels.programs import LayoutError, run_unheard
from wgfleet.device import Device
from wgfleet.files import write_whole
from wgfleet.logs import say
from wgfleet.peerset import PublishedWorker
from wgfleet.wg import read_device

log = logging.getLogger(__name__)
COMMAND_SECONDS = 20.0
"""Hooks and a userspace WireGuard included."""
AGAIN_SECONDS = 10.0
"""After a restart that failed, no other sooner."""
DUE = "restart-due"
"""In the state directory while a change is written and not in force: a daemon that died in between goes on with it."""


def run_command(command: Sequence[str]) -> None:
    """Run one. Raises LayoutError."""
    run_unheard(command, seconds=COMMAND_SECONDS)


@dataclass(frozen=True, slots=True)
class Quick:
    """An interface that wg-quick made."""

    name: str
    file: Path
    commands: Sequence[Sequence[str]]
    """They restart it, one after the other; only the last must succeed."""


class Restarting:
    """A `Layout`: one interface, made by wg-quick."""

    def __init__(
        self,
        interface: Quick,
        directory: Path,
        managed: ManagedPeers,
        endpoints: Endpoints,
        *,
        read: Callable[[str], Device] = read_device,
        run: Callable[[Sequence[str]], None] = run_command,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Name the interface, and the folder for what is kept."""
        self.name = interface.name
        self._file = interface.file
        self._commands = interface.commands
        self._managed = managed
        self._endpoints = endpoints
        self._due = directory / DUE
        self._former = directory / f"{interface.file.name}.before"
        self._read = read
        self._run = run
        self._clock = clock
        self._not_before = 0.0
        self.mark: int | None = None
        """The interface's firewall mark, as last read."""

    @property
    def connections_left(self) -> Mapping[str, int | None]:
        """None: whatever was connected moves along."""
        return {}

    def read(self) -> Device:
        """The interface as it is; one that is due to be restarted is, first. Raises WgError."""
        if self._due.exists():
            self._restart()
        device = self._read(self.name)
        self.mark = device.firewall_mark
        return device

    def holder(self, workers: Workers) -> str | None:
        """The worker that carries the traffic at present."""
        return holder(workers.values(), {peer.public_key: peer.allowed_ips for peer in self.read().peers})

    def configure(self, workers: Workers, active: str | None, silent: Collection[str] = ()) -> None:
        """Write the file, if anything in it changes, and restart; the file of before is kept."""
        del silent  # Whatever was connected is interrupted anyway.
        try:
            text = self._file.read_text()
            there = keys(text)
            wanted = wanted_peers(
                workers.values(),
                active,
                endpoints={name: self._endpoints.of(worker, None) for name, worker in workers.items()},
                others=there - self._managed.keys,
            )
            anew = edited(text, wanted, self._managed.keys)
        except (OSError, UnicodeDecodeError, QuickFileError) as error:
            raise LayoutError(f"{self._file} cannot be changed: {error}") from None
        listed = {peer.public_key for peer in wanted}
        if anew != text:
            self._managed.replace(self._managed.keys | (listed - there))
            write_whole(self._former, text.encode())
            write_whole(self._due, b"")
            write_whole(self._file.resolve(), anew.encode())
            self._managed.replace(self._managed.keys & keys(anew))
            say(log, "written", file=self._file, former=self._former)
            self._not_before = 0.0
        elif active is not None and not self._due.exists() and self.holder(workers) != active:
            write_whole(self._due, b"")  # Others changed the interface and not the file.
        if self._due.exists():
            self._restart()

    def recreate(self, worker: PublishedWorker) -> None:
        """Nothing: for a standby's sake, no connection is interrupted."""

    def redirect(self, worker: PublishedWorker) -> None:
        """Nothing: the first endpoint is in the file."""

    def _restart(self) -> None:
        now = self._clock()
        if now < self._not_before:
            raise LayoutError(
                f"{self.name} is not restarted: tried again in {self._not_before - now:.0f} s; the file of before is "
                f"{self._former}"
            )
        self._not_before = now + AGAIN_SECONDS
        for number, command in enumerate(self._commands, start=1):
            try:
                self._run(command)
            except LayoutError:
                if number == len(self._commands):
                    raise  # An earlier one may find nothing to take down.
        self._due.unlink(missing_ok=True)
        self._not_before = 0.0
        say(log, "restarted", interface=self.name)
