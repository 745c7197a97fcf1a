"""The kill switch: keeps the rules of barring.py loaded. They outlive the daemon, and are there before it does anything."""

import json
import logging
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from pathlib import Path

from client_sync.barring import OPEN, Barred, barred_by, ruleset
from client_sync.endpoints import Resolve
from client_sync.layout import Layout, Workers
from client_sync.tunnels.tables import load
from wgfleet.device import Device
from wgfleet.files import write_whole
from wgfleet.logs import say
from wgfleet.peerset import PublishedWorker
from wgfleet.wg import WgError

log = logging.getLogger(__name__)
STAYS = (
    "the kill switch stays closed: what is routed through the tunnel does not leave this machine. "
    "To open it: `systemctl stop wgfleet-sync`, then `wgfleet-sync open`"
)
KEPT = "guard.json"
"""In the state directory: what is barred, for a start at which there is nothing yet."""


class GuardError(WgError):
    """The kill switch cannot be closed or opened; the text says what to do next."""


def load_rules(rules: str) -> None:
    """Load nftables rules, all or none. Raises GuardError, LayoutError."""
    if shutil.which("nft") is None:
        raise GuardError(
            "there is no program `nft` here, which the kill switch is made with: install the package nftables, or set "
            "kill_switch = false"
        )
    load(rules)


class Guard:
    """The rules, and what they were made of last."""

    def __init__(
        self,
        directory: Path,
        tunnels: str,
        allowed: Collection[str],
        *,
        beforehand: Callable[[], Barred],
        load: Callable[[str], None] = load_rules,
    ) -> None:
        """Name the folder where what is barred is kept, the tunnels' interfaces, and what may be reached in clear.

        `beforehand` says what is to be barred as long as nothing is kept that a peer set said.
        """
        self._file = directory / KEPT
        self._tunnels = tunnels
        self._allowed = tuple(allowed)
        self._beforehand = beforehand
        self._load = load
        self._barred: Barred | None = None
        """As loaded last."""

    @property
    def remark(self) -> str | None:
        """What people should know of it, if anything."""
        if self._barred is None or self._barred.known:
            return None
        return (
            f"kill switch: until the first peer set says what is routed, {', '.join(self._barred.prefixes)} is barred "
            "(`kill_switch_first` in sync.toml)"
        )

    @property
    def stays(self) -> str | None:
        """What whoever ends now leaves behind, if anything."""
        return None if self._barred is None else STAYS

    def close(self) -> bool:
        """Bar what is kept, or else what is to be barred beforehand; False if that is nothing. Raises WgError."""
        kept, unreadable = None, None
        try:
            kept = self._kept()
        except GuardError as error:
            unreadable = error
        # Marks and remembered names may be others by now.
        barred = kept if kept is not None and kept.known else self._beforehand()
        if unreadable is not None:
            if not barred.prefixes:
                raise unreadable
            say(log, "kill switch closed by what else is known", level=logging.ERROR, error=unreadable)
        self._load(self._rules(barred) if barred.prefixes else OPEN)
        self._barred = barred if barred.prefixes else None
        if kept is None and self._barred is not None:
            self._keep(barred)  # So that the next start of the machine is closed from the beginning, too.
        return self._barred is not None

    def open(self) -> None:
        """Bar nothing any more, until it is closed again. Raises WgError."""
        self._load(OPEN)
        self._barred = None

    def forget(self) -> None:
        """Bar nothing any more, should anything be barred by an earlier run. Raises WgError, OSError."""
        if self._file.exists():
            self.open()
            self._file.unlink()

    def bar(self, barred: Barred) -> bool:
        """Bar this instead; False if it is barred already. Raises WgError, OSError."""
        if barred == self._barred:
            return False
        if not barred.prefixes and self._barred is not None:
            return False  # A peer set without workers opens nothing.
        self._load(self._rules(barred))
        self._barred = barred
        self._keep(barred)
        return True

    def again(self) -> None:
        """Load the same again: a firewall that starts anew may have flushed it. Raises WgError."""
        if self._barred is not None:
            self._load(self._rules(self._barred))

    def _keep(self, barred: Barred) -> None:
        try:
            write_whole(self._file, json.dumps(asdict(barred)).encode())
        except OSError as error:  # A full disk, say. It holds all the same, until this machine starts anew.
            say(log, "kill switch not kept", level=logging.ERROR, file=self._file, error=error)

    def _rules(self, barred: Barred) -> str:
        return ruleset(barred, self._tunnels, self._allowed)

    def _kept(self) -> Barred | None:
        try:
            said = json.loads(self._file.read_text())
            known = bool(said.get("known", True))
            return Barred(tuple(said["prefixes"]), said["mark"], tuple(said["endpoints"]), known=known)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise GuardError(
                f"{self._file} cannot be read, and so it is not known what to bar: {error}. Take it away"
            ) from None


class Guarded:
    """A `Layout` with the kill switch: bars first, configures then."""

    def __init__(self, layout: Layout, guard: Guard, resolve: Resolve, *, ours: bool) -> None:
        """`resolve` gives the addresses of an endpoint's host, which may be none; `ours`: the daemon makes the interface."""
        self._layout = layout
        self._guard = guard
        self._resolve = resolve
        self._ours = ours
        self._warned = False
        self._workers: Workers = {}
        """As configured last."""

    @property
    def mark(self) -> int | None:
        """The tunnels' firewall mark."""
        return self._layout.mark

    @property
    def connections_left(self) -> Mapping[str, int | None]:
        """How many connections each worker that is being left still carries."""
        return self._layout.connections_left

    def read(self) -> Device:
        """What there is."""
        return self._layout.read()

    def holder(self, workers: Workers) -> str | None:
        """The worker that carries the traffic at present."""
        return self._layout.holder(workers)

    def configure(self, workers: Workers, active: str | None, silent: Collection[str] = ()) -> None:
        """Bar what these workers carry, then let them. Rules that cannot be loaded hold up no move: the old ones hold."""
        self._workers = workers
        failed: WgError | None = None
        news = False
        try:
            news = self._guard.bar(self._barred(workers))
        except WgError as error:
            failed = error
        self._layout.configure(workers, active, silent)
        if failed is not None:
            raise failed
        # The interface may be another by now, with another mark.
        if not self._guard.bar(self._barred(workers)) and not news:
            self._guard.again()

    def recreate(self, worker: PublishedWorker) -> None:
        """Make a standby's session anew."""
        self._let_out()
        self._layout.recreate(worker)

    def redirect(self, worker: PublishedWorker) -> None:
        """Send to the active worker at its next endpoint."""
        self._let_out()
        self._layout.redirect(worker)

    def _let_out(self) -> None:
        """A name may have another address by now. Rules that cannot be loaded hold up nothing here either."""
        try:
            if self._workers:
                self._guard.bar(self._barred(self._workers))
        except WgError as error:
            say(log, "not applied", level=logging.ERROR, error=error)

    def _barred(self, workers: Workers) -> Barred:
        mark = self._layout.mark
        if mark is None and not self._warned:
            self._warned = True
            say(
                log,
                "the interface has no firewall mark: with the kill switch the receiver is reached through the tunnel only; "
                "`FwMark =` in its file gives it one",
                level=logging.WARNING,
            )
        return barred_by(workers.values(), mark, self._resolve, ours=self._ours)
