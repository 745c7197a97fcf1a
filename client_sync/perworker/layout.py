"""One interface for each worker. A move is one change of route; what was connected through the old worker may stay there."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_network

from client_sync.endpoints import Endpoints
from client_sync.perworker.allotments import Allotments
from client_sync.perworker.counting import flows
from client_sync.perworker.draining import SILENT_AFTER, Drain, Ended, ended
from client_sync.perworker.interfaces import Interfaces, Settings
from client_sync.perworker.system import System
from client_sync.tunnels.marking import ruleset
from client_sync.tunnels.programs import LayoutError
from client_sync.tunnels.routing import PIN, Plan, Tables, carrier, changes, wanted
from wgfleet.device import Device
from wgfleet.logs import say
from wgfleet.peerset import PublishedWorker, WorkerState
from wgfleet.wg import WgError

log = logging.getLogger(__name__)
Workers = Mapping[str, PublishedWorker]


class PerWorker:
    """A `Layout`."""

    def __init__(
        self,
        settings: Settings,
        allotments: Allotments,
        endpoints: Endpoints,
        *,
        system: System,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin knowing what is kept; the clock counts since boot, as the interfaces do."""
        self._settings = settings
        self._allotments = allotments
        self._system = system
        self._clock = clock
        self._interfaces = Interfaces(settings, allotments, endpoints, system)
        self._workers: dict[str, PublishedWorker] = {}
        self._active: str | None = None
        self._drains: dict[str, Drain] = {}
        self._silent: Collection[str] = ()
        """As the driver said last."""
        self._misses: dict[str, int] = {}
        """The watch's probes in a row that an address did not answer, while workers are being left."""
        self.drain_began = asyncio.Event()
        """Set with each drain; for whoever watches them."""
        self._taken_over = False
        self._led = True
        """Routes and rules are as they should be."""

    @property
    def mark(self) -> int:
        """The tunnels' firewall mark."""
        return self._settings.mark

    def begin(self) -> None:
        """Mark connections as before, ere the control connection is made.

        Its stream says nothing by itself, so it would get no mark later on; and where rp_filter is strict, what comes for it is
        dropped once the tunnels are there.
        """
        with contextlib.suppress(LayoutError):  # Said when a document is applied.
            self._mark_connections()

    def read(self) -> Device:
        """All interfaces that there are, as one. Raises WgError."""
        return self._interfaces.read()

    def holder(self, workers: Workers) -> str | None:
        """The worker whose interface all routed networks lead to."""
        name = self._allotments.worker_on(carrier(self._tables(), _routed(workers.values()), self.mark))
        return name if name in workers else None

    def configure(self, workers: Workers, active: str | None, silent: Collection[str] = ()) -> None:
        """Let the active worker carry the traffic first; then see to all others. One that fails stops no other."""
        self._take_over()
        self._silent = silent
        usable = {name: one for name, one in workers.items() if one.state is not WorkerState.BANNED}
        unnoted = self._interfaces.allot(usable.values())
        workers = {name: one for name, one in workers.items() if name not in unnoted}
        usable = {name: one for name, one in usable.items() if name not in unnoted}
        if routed := _routed(usable.values()):
            self._allotments.keep({}, routed=routed)
        if active in usable:
            self._interfaces.prepare(usable[active])
        before, self._active, self._workers = self._active, active, dict(workers)
        if before is not None and active is not None and before != active:
            self._drains[before] = Drain(self._clock())
            self._misses.clear()  # Those are of an earlier drain.
        self._note_drains()
        self._lead()
        failed = self._prepare(worker for name, worker in usable.items() if name != active)
        self._mark_connections()
        self._sweep()
        if failed:
            raise failed[0]
        if unnoted:
            raise LayoutError(f"no interface is made for {', '.join(unnoted)}: it could not be noted")

    def recreate(self, worker: PublishedWorker) -> None:
        """Make a standby's session anew, at its next endpoint; and its interface, if that is gone."""
        if not self._interfaces.allot([worker]) and self._interfaces.recreate(worker):
            self._lead()

    def redirect(self, worker: PublishedWorker) -> None:
        """Send to the active worker at its next endpoint; one whose interface is gone has none."""
        if worker.name in self._interfaces.tunnels():
            self._interfaces.redirect(worker)

    def mend(self) -> None:
        """Make the interfaces again that are gone, or down, as when a userspace WireGuard died. Raises WgError."""
        there = self._interfaces.tunnels()
        missing = [worker for name, worker in self._usable().items() if name not in there]
        if missing and (failed := self._prepare(missing)):
            raise failed[0]

    # Probing.

    @property
    def devices(self) -> frozenset[str]:
        """The names of all interfaces, be they there or not."""
        return frozenset(one.interface for one in self._allotments.of.values())

    def device_of(self, worker: str) -> str:
        """The interface that a worker is probed by."""
        return self._allotments.of[worker].interface

    def worker_at(self, address: str) -> str | None:
        """The worker that has this address inside the tunnel."""
        return next((name for name, one in self._allotments.of.items() if address in one.addresses), None)

    def leading_to(self, target: IPv4Address | IPv6Address) -> dict[str, bool]:
        """Whether each worker that is listed and not banned takes packets for this address."""
        return {
            name: any(target in ip_network(prefix) for prefix in worker.allowed_ips)
            for name, worker in self._usable().items()
        }

    def heard(self, address: str, *, answered: bool) -> None:
        """Take note of a probe of the watch's: no connection is kept on a worker that died while it was being left."""
        self._misses[address] = 0 if answered else self._misses.get(address, 0) + 1

    # Draining.

    @property
    def draining(self) -> Mapping[str, Drain]:
        """The workers that are being left and may still carry connections."""
        return dict(self._drains)

    @property
    def connections_left(self) -> Mapping[str, int | None]:
        """How many connections each of these still carries, as last counted; None: not yet, or that is not known."""
        return {name: drain.flows for name, drain in self._drains.items()}

    @property
    def watched(self) -> tuple[str, ...]:
        """Where to probe while workers are being left: at these, and at the active one, which tells whose fault silence is."""
        workers = [*self._drains, *([self._active] if self._active else [])]
        known = [self._allotments.of[name].addresses for name in workers if name in self._allotments.of]
        return tuple(addresses[0] for addresses in known if addresses) if self._drains else ()

    def flows(self) -> dict[str, int] | None:
        """How many connections each worker carries; None where the kernel does not tell. May run in a thread."""
        lines = self._system.connections()
        if lines is None:
            return None
        counted = flows(lines)
        return {name: counted[one.mark] for name, one in tuple(self._allotments.of.items())}

    def counted(self, left: Mapping[str, int]) -> None:
        """Take note of such a count."""
        self._drains = {
            name: replace(drain, flows=left.get(name, drain.flows)) for name, drain in self._drains.items()
        }

    def end_drains(self) -> None:
        """Let go of each worker whose drain is over. Raises WgError."""
        before = self._drains
        self._note_drains()
        if self._drains.keys() != before.keys() or not self._led:
            self._lead()
            self._sweep()

    def _note_drains(self) -> None:
        there = self._interfaces.tunnels()
        going_on = {}
        for name, drain in self._drains.items():
            reason = self._why_ended(name, drain, there=name in there)
            if reason is None:
                going_on[name] = drain
            else:
                say(log, "drain ended", worker=name, reason=reason, connections=drain.flows)
        self._drains = going_on
        if going_on:
            self.drain_began.set()
        self._allotments.note_drains({name: drain.since for name, drain in going_on.items()})

    def _why_ended(self, name: str, drain: Drain, *, there: bool) -> Ended | None:
        if name == self._active:
            return Ended.RETURNED
        # While the active one is silent too, it may be our own network that is: then this says nothing of the worker.
        ours = self._active in self._silent or (self._active and self._missed(self._active))
        misses = 0 if ours else SILENT_AFTER if name in self._silent else self._missed(name)
        deadline = self._settings.drain_deadline
        published = self._workers.get(name)
        return ended(drain, published, there=there, misses=misses, now=self._clock(), deadline=deadline)

    def _missed(self, name: str) -> int:
        """Probes in a row that a worker did not answer."""
        known = self._allotments.of.get(name)
        return max((self._misses.get(address, 0) for address in known.addresses), default=0) if known else 0

    # Interfaces, routes, rules, marks.

    def _usable(self) -> dict[str, PublishedWorker]:
        return {name: one for name, one in self._workers.items() if one.state is not WorkerState.BANNED}

    def _prepare(self, workers: Iterable[PublishedWorker]) -> list[WgError]:
        """Prepare their interfaces and lead to those that have no routes yet; return what failed."""
        failed, new = [], False
        for worker in workers:
            try:
                new |= self._interfaces.prepare(worker)
            except WgError as error:
                failed.append(error)
        if new:
            self._lead()
        return failed

    def _sweep(self) -> None:
        """Delete the interfaces that nothing uses any more."""
        used = {*self._usable(), *self._drains, *([self._active] if self._active else [])}
        if gone := self._interfaces.remove_all_but(used):
            self._lead(gone)

    def _tables(self, gone: Collection[int] = ()) -> Mapping[int, Tables]:
        return self._system.tables([self.mark, *gone, *(one.mark for one in self._allotments.of.values())])

    def _lead(self, gone: Collection[int] = ()) -> None:
        """Bring routes and rules up to date: the one place where traffic is moved. `gone`: marks that nobody has any more."""
        self._led = False
        pinned = frozenset({*self._drains, *([self._active] if self._active else [])})
        tunnels = self._interfaces.tunnels()
        target = self._settings.target
        plan = Plan(self.mark, self._allotments.routed, tunnels, self._active, pinned, target)
        for family, have in self._tables(gone).items():
            self._system.change(family, changes(have, wanted(plan, family), self.mark))
        self._led = True

    def _mark_connections(self) -> None:
        known = self._allotments.of.values()
        devices = {one.interface: one.mark for one in known}
        addresses = {address for one in known for address in one.addresses}
        self._system.load(ruleset(self.mark, devices, addresses, self._settings.target))

    def _take_over(self) -> None:
        """Once, take up what an earlier run left: who carried the traffic, and which drains went on."""
        if self._taken_over:
            return
        have = self._tables()
        self._taken_over = True
        self._active = self._allotments.worker_on(carrier(have, self._allotments.routed, self.mark))
        pins = {rule.mark for tables in have.values() for rule in tables.rules if rule.priority == PIN}
        now = self._clock()
        for name, one in self._allotments.of.items():
            if one.mark in pins and name != self._active:
                since = now if one.draining_since is None else min(one.draining_since, now)
                self._drains[name] = Drain(since)


def _routed(workers: Collection[PublishedWorker]) -> tuple[str, ...]:
    """What leads to whichever worker is active: not a worker's own address, which leads to that worker."""
    own = {str(ip_network(address)) for worker in workers for address in worker.tunnel_addresses}
    return tuple(sorted({prefix for worker in workers for prefix in worker.allowed_ips} - own))
