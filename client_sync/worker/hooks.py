"""Which runs of the client hook are due: client list and clients' places in, runs out. Everything that decides it lives here.

Pure: `now` is an argument. A place is the worker that a client said it uses, and the number that the receiver gave to that
change. Only what the receiver says begins a run:

- a client is here: `active`, once in each life of the daemon, because what the hook made may be gone with a reboot;
- it is elsewhere, or off the client list: `left`, if `active` was ever begun for it, in an earlier life too;
- nobody knows where it is, or the receiver is away: what was done stays, and nothing begins, a retry neither.

Of one client there is one run at a time, and what is wanted is looked at anew when it ends: the newest wins.
"""

import heapq
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

MOST_AT_ONCE = 8
"""Runs: a hook mostly waits, but thousands of them at once would be no service to the worker."""
RETRY_FIRST, RETRY_MOST = 1.0, 60.0
"""Seconds after a run that failed; doubled each time. Another wish for the client does not wait for them."""
TOLD = 20
"""Failing clients that the status names; the rest is a number."""

Prefixes = tuple[str, ...]


class Verb(StrEnum):
    """What the hook is told."""

    ACTIVE = "active"
    """The client's traffic goes through this worker: its return route leads here."""
    LEFT = "left"
    """Not any more: what `active` made for it is taken away, and nothing else."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a client is."""

    worker: str
    number: int
    """Of the change, as the receiver counts: a later one is greater."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the hook."""

    verb: Verb
    client: str
    prefixes: Prefixes
    """Its tunnel addresses as /32 and /128, and the networks behind it."""
    number: int
    """Of the news that it follows; 0: the client is off the list."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that failed, and when it is tried again."""

    run: Run
    reason: str
    tries: int
    at: float


class Hooks:
    """What is known, and what was done."""

    def __init__(self, worker: str, begun: Mapping[str, Prefixes]) -> None:
        """Take this worker's name, and for whom earlier lives began `active` without a `left` that ended well."""
        self._worker = worker
        self.begun = dict(begun)
        """To be kept on the disk before a run is begun."""
        self.failures: dict[str, Failure] = {}
        self.running: dict[str, Run] = {}
        self._listed: dict[str, Prefixes] | None = None
        self._places: dict[str, Place] = {}
        self._done: set[str] = set()
        self._look: dict[str, None] = {}
        """Of whom something changed, in the order in which it did."""

    @property
    def active(self) -> int:
        """For so many clients `active` has ended well in this life."""
        return len(self._done)

    @property
    def waiting(self) -> int:
        """So many have not been looked at since their last change."""
        return len(self._look)

    def listed(self, clients: Mapping[str, Prefixes]) -> None:
        """The client list that is applied."""
        before = self._listed or {}
        changed = [name for name, prefixes in clients.items() if before.get(name) != prefixes]
        gone = [name for name in self.begun if name not in clients]
        self._listed = dict(clients)
        self._look |= dict.fromkeys((*gone, *changed))

    def heard(self, places: Mapping[str, Place], *, whole: bool) -> None:
        """What the receiver says: where everybody is, or what changed. Of who is absent from the whole nobody knows."""
        if whole:
            self._places = dict(places)
            self._look |= dict.fromkeys(places)
            return
        for client, place in places.items():
            known = self._places.get(client)
            if known is None or known.number < place.number:
                self._places[client] = place
                self._look[client] = None

    def due(self, now: float, *, heard: bool) -> list[Run]:
        """The runs to begin now; `heard`: the receiver is followed at present. Each is to be told of by `ended`."""
        if not heard or self._listed is None:
            return []
        again = [client for client, failure in self.failures.items() if failure.at <= now]
        self._look |= dict.fromkeys(again)
        begin: list[Run] = []
        for client in tuple(self._look):
            if len(self.running) == MOST_AT_ONCE:
                break
            if client in self.running:
                continue  # It is looked at again when that ends.
            del self._look[client]
            run = self._wanted(client)
            failure = self.failures.get(client)
            if failure is not None and (
                run is None or replace(run, number=0) != replace(failure.run, number=0)
            ):
                del self.failures[client]  # It is not what is wanted any more.
            elif failure is not None and failure.at > now:
                continue
            if run is not None:
                self._begin(run)
                begin.append(run)
        return begin

    def ended(self, run: Run, reason: str | None, now: float) -> None:
        """A run ended well, or failed for a reason."""
        del self.running[run.client]
        self._look[run.client] = None
        if reason is not None:
            before = self.failures.get(run.client)
            tries = 1 if before is None else before.tries + 1
            wait = min(RETRY_FIRST * 2 ** min(tries - 1, 10), RETRY_MOST)
            self.failures[run.client] = Failure(run, reason, tries, now + wait)
            return
        self.failures.pop(run.client, None)
        if run.verb is Verb.ACTIVE:
            self._done.add(run.client)
        else:
            self.begun.pop(run.client, None)

    def to_keep(self) -> dict[str, Prefixes]:
        """For whom `active` was begun, or soon will be: kept together, the disk is waited for once in a failover."""
        listed = self._listed or {}
        here = (client for client in self._look if client in listed and self._is_here(client))
        return {client: listed[client] for client in here} | self.begun

    def next_deadline(self) -> float | None:
        """When a run that failed is due again; None: none did, or there is no room for it before another ends."""
        if len(self.running) == MOST_AT_ONCE:
            return None
        waiting = (failure.at for client, failure in self.failures.items() if client not in self.running)
        return min(waiting, default=None)

    def worst(self) -> Collection[Failure]:
        """Those that were tried most often."""
        return heapq.nlargest(TOLD, self.failures.values(), key=lambda failure: failure.tries)

    def _begin(self, run: Run) -> None:
        self.running[run.client] = run
        self._done.discard(run.client)
        if run.verb is Verb.ACTIVE:
            self.begun[run.client] = run.prefixes

    def _wanted(self, client: str) -> Run | None:
        listed, place = (self._listed or {}).get(client), self._places.get(client)
        begun = self.begun.get(client)
        number = place.number if place is not None else 0
        left = None if begun is None else Run(Verb.LEFT, client, begun, number)
        if listed is None:
            return left
        if place is None:
            return None
        if not self._is_here(client) or (begun is not None and begun != listed):
            return left  # With other addresses it begins anew, once the old ones are taken away.
        return None if client in self._done else Run(Verb.ACTIVE, client, listed, number)

    def _is_here(self, client: str) -> bool:
        place = self._places.get(client)
        return place is not None and place.worker == self._worker
