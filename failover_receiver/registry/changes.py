"""What may be done to the roll of clients. Everything that decides it lives in this file. Pure: `now` is an argument.

A draft is a copy of the roll that is changed step by step; each step is refused or done. Whoever keeps the draft's
changes makes its roll the roll; whoever drops it has changed nothing. So many changes are one, or none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from failover_receiver.registry.clients import Client, Others, Revocation, Roll, Wish
from failover_receiver.registry.pools import Pool, Span, lowest_free, span, spans, text
from failover_receiver.registry.tokens import CLIENTS
from failover_receiver.state import RefusedError, UnknownError
from wgfleet.wording import counted

NO_SHARED = "workers share no identity here: [shared] in receiver.toml says which, see docs/dns.md"


@dataclass(slots=True)
class Changes:
    """What is different now, for the store: keys of rows that it must write or take out, and what to note."""

    clients: set[str] = field(default_factory=set)
    revocations: set[str] = field(default_factory=set)
    freed: set[str] = field(default_factory=set)
    confirmed: bool = False
    tokens: set[str] = field(default_factory=set)
    """Names whose tokens are to be removed."""
    notes: list[tuple[str, str, str]] = field(default_factory=list)
    """What was done, to whom, and why. Nothing that matters is done without."""

    def __bool__(self) -> bool:
        """Whether anything was done."""
        return bool(self.notes)


class Draft:
    """A roll that is being changed."""

    def __init__(
        self,
        roll: Roll,
        others: Others,
        pools: Sequence[Pool],
        shared_pools: Sequence[Pool] = (),
        *,
        now: float,
        number: tuple[int, int],
    ) -> None:
        """Begin with the roll as it is, which stays so; the list with the changes will have that number."""
        self._number = number
        self.roll = roll.copy()
        self.changes = Changes()
        self._others = others
        self._workers, self._workers_space = others.by_key, others.space
        self._pools, self._shared_pools = pools, shared_pools
        self._now = now
        self._cooling = self.roll.cooling(now)
        self._next = dict[Pool, int]()

    def put(self, wish: Wish) -> Client:
        """Add a client, or change one."""
        known = self.roll.clients.get(wish.name)
        self._check_name(wish.name)
        self._check_key(wish, known)
        addresses = self._addresses(wish, known)
        networks = known.networks if known is not None and wish.networks is None else wish.networks
        client = Client(
            name=wish.name,
            public_key=wish.public_key,
            addresses=self._allocated(wish) if addresses is None else addresses,
            networks=networks or (),
            added_at=self._now if known is None else known.added_at,
        )
        if client == known:
            return client
        self._check_pools(client)
        taken = spans(client.allowed_ips)
        self._check_workers(client, taken)
        self._check_clients(client, taken)
        self._replace(known, client)
        return client

    def put_all(self, wishes: Iterable[Wish]) -> tuple[list[Client], list[tuple[str, str]]]:
        """All of them, and each one's fault by its name; with faults, the draft is to be dropped."""
        clients, faults, seen = list[Client](), list[tuple[str, str]](), set[str]()
        # Those that name their addresses go first, so that the pools do not give these to others.
        for wish in sorted(wishes, key=lambda wish: wish.addresses is None):
            if wish.name in seen:
                faults.append((wish.name, f"name {wish.name!r} is there twice: each client has its own"))
                continue
            seen.add(wish.name)
            try:
                clients.append(self.put(wish))
            except RefusedError as error:
                faults.append((wish.name, str(error)))
        return clients, faults

    def revoke(self, name: str) -> Client:
        """Take a client away: workers forget its key, and it cannot come back by mistake."""
        client = self.roll.clients.get(name)
        if client is None:
            raise UnknownError(f"there is no client {name!r}: `wgfleet client list` names all")
        self.roll.drop(name)
        self.changes.clients.add(name)
        self.changes.tokens.add(name)
        self._revoke_key(client)
        self._give_back(client.addresses)
        self._note("client revoked", client, client.public_key)
        return client

    def confirm(self) -> None:
        """Say that whatever is missing from the list shall go; workers are told by the number of the list that says so."""
        self.roll.confirmed = self._number
        self.changes.confirmed = True
        self.changes.notes.append(
            ("removals confirmed", "client list", f"{counted(len(self.roll.clients), 'client')} to stay")
        )

    def prune(self) -> None:
        """Forget what is too old to matter."""
        for key in [key for key in self.roll.revocations if not self.roll.is_revoked(key, self._now)]:
            del self.roll.revocations[key]
            self.changes.revocations.add(key)
        for address in [one for one in self.roll.freed if not self.roll.is_cooling(one, self._now)]:
            del self.roll.freed[address]
            self.changes.freed.add(address)

    def _check_name(self, name: str) -> None:
        if name in self._others.workers:
            raise RefusedError(f"name {name!r} is already that of a worker: choose another")
        role = self._others.roles.get(name)
        if role is not None and role not in CLIENTS:
            raise RefusedError(f"name {name!r} is that of a token with the role {role}: choose another")

    def _check_key(self, wish: Wish, known: Client | None) -> None:
        key = wish.public_key
        if key in self._workers:
            raise RefusedError(f"public_key {key!r} is already that of worker {self._workers[key]!r}")
        other = self.roll.by_key.get(key, wish.name)
        if other != wish.name:
            raise RefusedError(f"public_key {key!r} is already that of client {other!r}: each has its own")
        if known is not None and known.public_key != key and not wish.new_key:
            raise RefusedError(
                f"client {wish.name!r} has the public_key {known.public_key!r}, not {key!r}: it would be cut off; "
                "choose another name, or say that it has a new key (--new-key)"
            )
        revoked = self.roll.revocations.get(key)
        if revoked is not None and not wish.again and self.roll.is_revoked(key, self._now):
            raise RefusedError(
                f"public_key {key!r} was taken from client {revoked.name!r}: let the client make a new one, or say "
                "that it shall be let in again (--again)"
            )

    def _check_pools(self, client: Client) -> None:
        for address in client.addresses:
            for pool in (*self._pools, *self._shared_pools):
                if pool.has_end(span(address)):
                    raise RefusedError(
                        f"addresses: {address} is the network's own or its broadcast address in {pool.network} of "
                        "client_pools: choose another"
                    )

    def _check_workers(self, client: Client, taken: Sequence[Span]) -> None:
        for one in taken:
            worker = self._workers_space.owner(one)
            if worker is not None:
                raise RefusedError(
                    f"{_said(client, one)} overlaps with an address of worker {worker!r}: choose another"
                )

    def _check_clients(self, client: Client, taken: Sequence[Span]) -> None:
        held = self.roll.clients.get(client.name)
        if held is not None:  # Its own is not in its way.
            self.roll.drop(client.name)
        try:
            for one in taken:
                other = self.roll.space.owner(one)
                if other is not None:
                    raise RefusedError(
                        f"{_said(client, one)} overlaps with what client {other!r} has: choose another"
                    )
        finally:
            if held is not None:
                self.roll.put(held)

    def _replace(self, known: Client | None, client: Client) -> None:
        self.roll.put(client)
        self.changes.clients.add(client.name)
        if self.roll.revocations.pop(client.public_key, None) is not None:
            self.changes.revocations.add(client.public_key)
        for address in client.addresses:
            if self.roll.freed.pop(address, None) is not None:
                self.changes.freed.add(address)
        if known is None:
            self._note("client added", client, ", ".join(client.allowed_ips))
            return
        self._give_back(address for address in known.addresses if address not in client.addresses)
        if known.public_key != client.public_key:
            self._revoke_key(known)
            self._note("client re-keyed", client, client.public_key)
        if known.allowed_ips != client.allowed_ips:
            self._note("client changed", client, ", ".join(client.allowed_ips))

    def _revoke_key(self, client: Client) -> None:
        self.roll.revocations[client.public_key] = Revocation(client.public_key, client.name, self._now)
        self.changes.revocations.add(client.public_key)

    def _give_back(self, addresses: Iterable[str]) -> None:
        for address in addresses:
            self.roll.freed[address] = self._now
            self.changes.freed.add(address)
            self._cooling.take([span(address)], "")

    def _addresses(self, wish: Wish, known: Client | None) -> tuple[str, ...] | None:
        """What was said, or what it has; None: as the pools give."""
        if wish.addresses is None:
            keeps = known is not None and (not wish.shared or self._is_shared(known.addresses))
            return known.addresses if known is not None and keeps else None
        if wish.shared and not self._is_shared(wish.addresses):
            raise RefusedError(
                f"addresses: {', '.join(wish.addresses)} is not within pools of [shared], which is "
                f"{', '.join(pool.network for pool in self._shared_pools) or 'not said'}: workers would take the device "
                "for one of their own interface; leave the address out, and it is given one"
            )
        return wish.addresses

    def _is_shared(self, addresses: Iterable[str]) -> bool:
        return all(any(pool.has(span(address)) for pool in self._shared_pools) for address in addresses)

    def _allocated(self, wish: Wish) -> tuple[str, ...]:
        name, pools = wish.name, self._shared_pools if wish.shared else self._pools
        if wish.shared and not pools:
            raise RefusedError(NO_SHARED)
        if not pools:
            raise RefusedError(
                f"client {name!r} has no addresses: say them, or set client_pools in receiver.toml, "
                'as client_pools = ["10.99.0.0/16"]'
            )
        versions = sorted({pool.usable.version for pool in pools})
        return tuple(
            self._lowest([one for one in pools if one.usable.version == version]) for version in versions
        )

    def _lowest(self, pools: Sequence[Pool]) -> str:
        for avoided in ((self._cooling,), ()):
            for pool in pools:
                number = lowest_free(
                    pool,
                    (self.roll.space, self._workers_space, *avoided),
                    # Within a draft nothing lower becomes free: what is given back cools.
                    start=self._next.get(pool, 0) if avoided else 0,
                )
                if number is not None:
                    self._next[pool] = number
                    return text(pool.usable.version, number)
        named = ", ".join(pool.network for pool in pools)
        raise RefusedError(
            f"no address is free in {named}: revoke clients that are gone, or add a network to client_pools"
        )

    def _note(self, what: str, client: Client, why: str) -> None:
        self.changes.notes.append((what, client.name, why))


def _said(client: Client, searched: Span) -> str:
    """Which of a client's words it was."""
    for prefix in client.networks:
        if spans([prefix, text(searched.version, searched.first)]) == spans([prefix]):
            return f"networks: {prefix}"
    return f"addresses: {text(searched.version, searched.first)}"
