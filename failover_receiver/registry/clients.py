"""What is said of clients, and the roll of them all. Pure: values in, values out."""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from failover_receiver.registry.pools import Space, spans
from failover_receiver.state import WorkerSpec

REVOCATION_LIFETIME = 90 * 86400.0
"""Seconds. A worker that was away for so long asks for a confirmation before it forgets many clients at once."""

FREED_FOR = 3600.0
"""Seconds. An address is not given to another so soon: connections and rules for the former one may live on."""


@dataclass(frozen=True, slots=True)
class Client:
    """One client."""

    name: str
    public_key: str
    addresses: tuple[str, ...]
    """Its own addresses inside the tunnel."""
    networks: tuple[str, ...] = ()
    """Those behind it, which workers send to it too."""
    added_at: float = 0.0

    @property
    def allowed_ips(self) -> tuple[str, ...]:
        """As workers' peers have them."""
        return (
            *(f"{address}/{128 if ':' in address else 32}" for address in self.addresses),
            *self.networks,
        )


@dataclass(frozen=True, slots=True)
class Wish:
    """What an operator wishes of a client; None: as it is, or for a new one as the pools give."""

    name: str
    public_key: str
    addresses: tuple[str, ...] | None = None
    networks: tuple[str, ...] | None = None
    new_key: bool = False
    """It is known to have another public key than before."""
    again: bool = False
    """Its public key was revoked, and shall be let in all the same."""
    shared: bool = False
    """It is a device for the identity that workers share: its addresses are those pools' own."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """A public key that an operator took away, or replaced."""

    public_key: str
    name: str
    at: float


@dataclass(frozen=True, slots=True)
class Others:
    """Who else has a name, a key or an address."""

    workers: Mapping[str, WorkerSpec]
    roles: Mapping[str, str]
    """Of every token, by its holder's name."""
    shared: tuple[str, ...] = ()
    """Addresses that all workers have together."""

    @property
    def by_key(self) -> dict[str, str]:
        """The workers' names by their keys."""
        return {spec.public_key: name for name, spec in self.workers.items()}

    @property
    def space(self) -> Space:
        """What the workers' own addresses take."""
        taken = {address: name for name, spec in self.workers.items() for address in spec.tunnel_addresses}
        taken |= dict.fromkeys(self.shared, "[shared]")
        return Space((*one, name) for address, name in taken.items() for one in spans([address]))


class Roll:
    """All clients, found by name, key and address, with what is remembered of those that went."""

    def __init__(
        self,
        clients: Iterable[Client] = (),
        revocations: Iterable[Revocation] = (),
        freed: Mapping[str, float] | None = None,
        confirmed: tuple[int, int] | None = None,
    ) -> None:
        """Begin with what the store holds."""
        self.clients = {client.name: client for client in clients}
        self.by_key = {client.public_key: client.name for client in self.clients.values()}
        self.space = Space(
            (*one, client.name) for client in self.clients.values() for one in spans(client.allowed_ips)
        )
        self.revocations = {revocation.public_key: revocation for revocation in revocations}
        self.freed = dict(freed or {})
        """When each address was given back."""
        self.confirmed = confirmed
        """The list by which the operator last confirmed removals."""

    def copy(self) -> "Roll":
        """Another that changes by itself."""
        copied = Roll()
        copied.clients = self.clients.copy()
        copied.by_key = self.by_key.copy()
        copied.space = self.space.copy()
        copied.revocations = self.revocations.copy()
        copied.freed = self.freed.copy()
        copied.confirmed = self.confirmed
        return copied

    def replaced(
        self,
        clients: Iterable[Client],
        revocations: Iterable[Revocation],
        freed: Mapping[str, float],
        confirmed: tuple[int, int] | None,
    ) -> "Roll":
        """Another with these in the place of all; it costs what differs."""
        copied, wanted = self.copy(), {client.name: client for client in clients}
        changed = [name for name, client in copied.clients.items() if wanted.get(name) != client]
        for name in changed:  # All of them first: a key or address may have gone from one to another.
            copied.drop(name)
        for name, client in wanted.items():
            if name not in copied.clients:
                copied.put(client)
        copied.revocations = {revocation.public_key: revocation for revocation in revocations}
        copied.freed, copied.confirmed = dict(freed), confirmed
        return copied

    def put(self, client: Client) -> None:
        """Add a client, or replace the one of its name; nothing is checked."""
        self.drop(client.name)
        self.clients[client.name] = client
        self.by_key[client.public_key] = client.name
        self.space.take(spans(client.allowed_ips), client.name)

    def drop(self, name: str) -> None:
        """Take a client off, if it is there."""
        client = self.clients.pop(name, None)
        if client is not None:
            del self.by_key[client.public_key]
            self.space.free(spans(client.allowed_ips), name)

    def is_revoked(self, public_key: str, now: float) -> bool:
        """Whether that key was taken away, not too long ago to be remembered."""
        revocation = self.revocations.get(public_key)
        return revocation is not None and now - revocation.at <= REVOCATION_LIFETIME

    def is_cooling(self, address: str, now: float) -> bool:
        """Whether that address was given back just now."""
        return now - self.freed.get(address, -FREED_FOR) < FREED_FOR

    def cooling(self, now: float) -> Space:
        """Addresses that were given back just now."""
        lately = [address for address in self.freed if self.is_cooling(address, now)]
        return Space((*one, "") for address in lately for one in spans([address]))


def check_own(address: str) -> str:
    """Return a client's own address, or raise ValueError that says what would be right."""
    parsed = ipaddress.ip_address(address)
    if parsed.is_multicast or parsed.is_unspecified or parsed.is_loopback:
        raise ValueError(f"{address} is no address that a client can have inside the tunnel: as 10.99.0.7")
    return address


def check_network(network: str) -> str:
    """Return a network behind a client, or raise ValueError that says what would be right."""
    parsed = ipaddress.ip_network(network)
    if parsed.prefixlen == 0:
        raise ValueError(f"{network} would send everything to this one client: name the networks behind it")
    if parsed.is_multicast or parsed.is_loopback:
        raise ValueError(f"{network} is no network that can be behind a client: as 192.168.7.0/24")
    return network
