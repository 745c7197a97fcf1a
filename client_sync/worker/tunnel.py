"""A worker's WireGuard interface: what its peers are, and making them the clients of a list.

It is read as a whole at first and every few seconds: somebody may have brought it up anew, or loaded its file again. In
between, a list changes what differs from the one before, and nothing else is looked at.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Protocol

from client_sync.cache import ManagedPeers
from client_sync.worker import plan
from client_sync.worker.plan import Plan, Withheld
from wgfleet.clientlist import ClientList, Refusal
from wgfleet.diff import Kind, PeerChange
from wgfleet.dump import NONE, Table
from wgfleet.logs import say
from wgfleet.wg import read_keys, read_table, set_peers

log = logging.getLogger(__name__)

SAID = 20
"""Changes that are logged one by one; of more, how many."""


@dataclass(frozen=True, slots=True)
class Wireguard:
    """The door to the device, so that tests can stand another behind it."""

    read: Callable[[str, Table | None], Table] = read_table
    read_keys: Callable[[str], frozenset[str]] = read_keys
    set_peers: Callable[[str, Sequence[PeerChange]], None] = set_peers


@dataclass(frozen=True, slots=True)
class _Seen:
    """The interface as it was read, and as it is with what we changed since."""

    table: Table
    present: dict[str, tuple[str, ...]]
    foreign: dict[str, str]
    as_read: bool
    """Nothing was changed since."""


@dataclass(slots=True)
class Standing:
    """What is worth telling of it."""

    ours: int = 0
    others: int = 0
    withheld: tuple[Withheld, ...] = ()
    cut: frozenset[str] = field(default_factory=frozenset)


class Peers(Protocol):
    """Where clients are peers: one interface, or two."""

    @property
    def name(self) -> str: ...
    @property
    def shared(self) -> str | None: ...
    @property
    def mark(self) -> int | None: ...
    @property
    def standing(self) -> Standing: ...
    def look(self) -> Table: ...
    def refusal(self, held: ClientList | None, new: ClientList) -> Refusal | None: ...
    def bring_up_to_date(self, clients: ClientList, *, removing: bool) -> None: ...
    def ask(self) -> "Future[frozenset[str]]": ...
    def follow(self, before: ClientList, after: ClientList, there: "Future[frozenset[str]]") -> None: ...


class Tunnel:
    """One interface. It is never taken down. To be used from one thread at a time."""

    def __init__(self, name: str, managed: ManagedPeers, wireguard: Wireguard) -> None:
        """Name an interface that exists."""
        self.name = name
        self.shared: str | None = None
        """Another interface, with an identity that workers share; this is none beside it."""
        self.mark: int | None = None
        """Its firewall mark, as last read."""
        self.standing = Standing()
        self._managed = managed
        self._wireguard = wireguard
        self._seen: _Seen | None = None
        self._asking = ThreadPoolExecutor(max_workers=1, thread_name_prefix="wg")

    @property
    def ours(self) -> frozenset[str]:
        """Keys of the peers that we added."""
        return self._managed.keys

    def look(self) -> Table:
        """The interface as it is now. Raises WgError, DumpError."""
        table = self._wireguard.read(self.name, self._seen.table if self._seen is not None else None)
        self.mark = table.firewall_mark
        return table

    def refusal(self, held: ClientList | None, new: ClientList) -> Refusal | None:
        """Why a list is not applied; None if it may be."""
        return plan.refusal(held, new, self._managed.keys)

    def bring_up_to_date(self, clients: ClientList, *, removing: bool) -> None:
        """Look at all peers, and make them those of the list.

        `removing` as in `plan.whole`. Raises WgError, DumpError, OSError.
        """
        seen, self._seen = self._seen, None
        table = self.look()
        present = (
            seen.present
            if seen is not None and seen.as_read and _alike(table, seen.table)
            else _present(table)
        )
        ours = self._managed.keys
        made = plan.whole(present, table.public_key, clients, ours=ours, removing=removing)
        self._carry_out(made)
        after = _after(present, made)
        # Peers that others added and that carry nothing, or are gone, need no more telling.
        self.standing.withheld = made.withheld
        self.standing.cut = (self.standing.cut | set(made.cut)) & after.keys()
        listed = {client.public_key for client in clients.clients}
        foreign = plan.foreign_prefixes(after, listed, self._managed.keys)
        self._take(_Seen(table, after, foreign, as_read=not made.changes))

    def ask(self) -> "Future[frozenset[str]]":
        """Begin to read which peers there are now, beside whatever else is done meanwhile."""
        return self._asking.submit(self._wireguard.read_keys, self.name)

    def follow(self, before: ClientList, after: ClientList, there: "Future[frozenset[str]]") -> None:
        """Change what differs between two lists, of which the first is applied. Raises WgError, DumpError, OSError.

        `there` are the keys of the peers that there are, as was asked when the list came.
        """
        seen, self._seen = self._seen, None
        # What was withheld may be free now, and then is that of a client who is the same in both lists.
        if seen is None or self.standing.withheld:
            self.bring_up_to_date(after, removing=True)
            return
        made = plan.step(
            seen.present, seen.table.public_key, before, after, ours=self._managed.keys, foreign=seen.foreign
        )
        if made.added & there.result():  # Others have added one since we looked: it is not ours.
            self.bring_up_to_date(after, removing=True)
            return
        self._carry_out(made)
        self.standing.withheld += made.withheld
        self.standing.cut |= set(made.cut)
        self._take(
            replace(seen, present=_after(seen.present, made), as_read=seen.as_read and not made.changes)
        )

    def _take(self, seen: _Seen) -> None:
        ours = len(self._managed.keys & seen.present.keys())
        self.standing.ours, self.standing.others = ours, len(seen.present) - ours
        self._seen = seen

    def _carry_out(self, made: Plan) -> None:
        for one in made.withheld:
            if one not in self.standing.withheld:
                say(log, "not given to a client", level=logging.ERROR, interface=self.name, reason=one)
        try:
            # Before they are added: if we die between, we may remove what we added, and nothing that we did not.
            self._managed.replace(self._managed.keys | made.added)
        except OSError:  # A full disk, say. Who is new waits for it; who was revoked does not stay for it.
            others = tuple(change for change in made.changes if change.kind is not Kind.ADD)
            self._wireguard.set_peers(self.name, others)
            raise
        self._wireguard.set_peers(self.name, made.changes)
        try:
            self._managed.replace(self._managed.keys - made.removed)
        except OSError as error:  # Who is gone is gone; that it was ours is no harm.
            say(log, "not noted", level=logging.ERROR, error=error)
        for key in made.cut:
            say(log, "revoked peer of others cut off", level=logging.WARNING, interface=self.name, peer=key,
                reason="take it out of the interface's configuration, or it is there again after a restart")  # fmt: skip
        for change in made.changes[:SAID]:
            say(log, "changed", interface=self.name, change=change)
        if len(made.changes) > SAID:
            say(log, "changed", interface=self.name, peers=len(made.changes), added=len(made.added),
                removed=len(made.removed))  # fmt: skip


def _alike(table: Table, other: Table) -> bool:
    return table.public_keys == other.public_keys and table.allowed_ips == other.allowed_ips


def _present(table: Table) -> dict[str, tuple[str, ...]]:
    return {
        key.decode(): () if allowed_ips == NONE else tuple(allowed_ips.decode().split(","))
        for key, allowed_ips in zip(table.public_keys, table.allowed_ips, strict=True)
    }


def _after(present: dict[str, tuple[str, ...]], made: Plan) -> dict[str, tuple[str, ...]]:
    """The peers as they are once the changes are made: a prefix that is given to one is taken from the one that had it."""
    given = {prefix: change.public_key for change in made.changes for prefix in change.allowed_ips or ()}
    after = {
        key: allowed_ips
        if given.keys().isdisjoint(allowed_ips)
        else tuple(prefix for prefix in allowed_ips if given.get(prefix, key) == key)
        for key, allowed_ips in present.items()
    }
    for change in made.changes:
        if change.kind is Kind.REMOVE:
            after.pop(change.public_key, None)
        elif change.allowed_ips is not None:
            after[change.public_key] = change.allowed_ips
    return after
