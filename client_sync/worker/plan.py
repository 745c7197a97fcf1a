"""What must change on a worker's interface so that its peers are the clients of the list. Pure: values in, values out.

Peers that we added are ours: they come and go with the list. A peer that others added (the monitoring host's, a
client's that an operator put there by hand) is never removed, and its endpoint, keepalive and preshared key are never
touched. If it is a client's, it is given what the list says it lacks; it does not become ours by that. If its key was
revoked, it is left there with no allowed IPs at all: it may knock, and nothing of it passes.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from wgfleet.clientlist import ClientList, ListedClient, Refusal, removal_allowed
from wgfleet.device import Device, Peer
from wgfleet.diff import Kind, PeerChange, WantedPeer, difference

Present = Mapping[str, tuple[str, ...]]
"""The peers that the interface has: allowed IPs by public key."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """A prefix that a client is not given, because a peer that others added has it."""

    client: str
    prefix: str
    holder: str
    """That peer's public key."""

    def __str__(self) -> str:
        """For the log."""
        return f"{self.prefix} of client {self.client} stays with peer {self.holder}, which others added"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, in this order."""

    changes: tuple[PeerChange, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    cut: tuple[str, ...] = ()
    """Keys of revoked peers that others added, and that from now on carry nothing."""

    @property
    def added(self) -> frozenset[str]:
        """Keys of the peers that are ours once it is done."""
        return frozenset(change.public_key for change in self.changes if change.kind is Kind.ADD)

    @property
    def removed(self) -> frozenset[str]:
        """Keys of those that are gone then."""
        return frozenset(change.public_key for change in self.changes if change.kind is Kind.REMOVE)


def whole(
    present: Present, own_key: str | None, clients: ClientList, ours: Collection[str], *, removing: bool
) -> Plan:
    """Bring every peer up to date.

    Args:
        present: the peers that there are.
        own_key: the interface's own public key, which is no peer's.
        clients: the list.
        ours: public keys of the peers that we added.
        removing: take away all of ours that are not in the list; if not, only those that were revoked. A list that
            was kept may be older than the peers that there are: without the receiver, nobody is taken away for it.

    """
    listed = {client.public_key for client in clients.clients}
    revoked = frozenset(clients.revoked)
    gone = [key for key in present if key not in listed and (removing or key in revoked)]
    return _plan(
        present,
        [client for client in clients.clients if client.public_key != own_key],
        gone,
        ours=ours,
        revoked=revoked,
        foreign=foreign_prefixes(present, listed, ours),
    )


def step(
    present: Present,
    own_key: str | None,
    before: ClientList,
    after: ClientList,
    *,
    ours: Collection[str],
    foreign: Mapping[str, str],
) -> Plan:
    """Bring up to date what differs between two lists, where the first one is applied: for one client of ten thousand.

    `foreign` is what `foreign_prefixes` said of the peers that there are.
    """
    had = {client.public_key: client for client in before.clients}
    listed = {client.public_key for client in after.clients}
    left = [key for key in had if key not in listed]
    # A client's peer that others added is nobody's client any more.
    stay = {prefix: key for key in left if key not in ours for prefix in present.get(key, ())}
    # And one that was nobody's may be a client's now.
    others = {prefix: key for prefix, key in foreign.items() if key not in listed}
    newly_revoked = [key for key in after.revoked if key in present and key not in listed]
    return _plan(
        present,
        [
            client
            for client in after.clients
            if (was := had.get(client.public_key)) is not client
            and was != client  # Most are that same value.
            and client.public_key != own_key
        ],
        list(dict.fromkeys((*left, *newly_revoked))),
        ours=ours,
        revoked=frozenset(after.revoked),
        foreign={**others, **stay},
    )


def foreign_prefixes(present: Present, listed: Collection[str], ours: Collection[str]) -> dict[str, str]:
    """The prefixes of peers that others added and that are no clients, each with its peer's key."""
    others = (key for key in present if key not in listed and key not in ours)
    return {prefix: key for key in others for prefix in present[key]}


def refusal(held: ClientList | None, new: ClientList, ours: Collection[str]) -> Refusal | None:
    """Why a list is not applied; None if it may be.

    Where the list that was held is lost, and only the keys of our peers are left, these stand for it. Only a list that
    is itself the confirmation then explains their removal: an earlier one may have been for other clients.
    """
    if held is None:
        clients = tuple(ListedClient(f"with key {key}", key, ()) for key in sorted(ours))
        held = ClientList(new.fleet, new.epoch, new.generation - 1, 0.0, 0.0, clients)
    return removal_allowed(held, new)


def _plan(
    present: Present,
    clients: Iterable[ListedClient],
    gone: Collection[str],
    *,
    ours: Collection[str],
    revoked: Collection[str],
    foreign: Mapping[str, str],
) -> Plan:
    clients = tuple(clients)
    cut = tuple(key for key in gone if key in revoked and key not in ours and present.get(key))
    # What a revoked peer held is free.
    held = {prefix: key for prefix, key in foreign.items() if key not in cut}
    given = {prefix: client.public_key for client in clients for prefix in client.allowed_ips}
    withheld = tuple(
        Withheld(client.name, prefix, held[prefix])
        for client in clients
        if not held.keys().isdisjoint(client.allowed_ips)
        for prefix in client.allowed_ips
        if prefix in held and held[prefix] != client.public_key
    )
    kept_back = {one.prefix for one in withheld}
    wanted = [_wanted(client, present, ours, given, kept_back) for client in clients]
    wanted += [WantedPeer(key, None, (), None) for key in cut]
    concerned = {peer.public_key for peer in wanted} | set(gone)
    peers = (Peer(key, None, present[key], None, 0, 0, None) for key in concerned if key in present)
    device = Device("", None, 0, None, tuple(peers))
    removable = [key for key in gone if key in ours]
    return Plan(difference(device, wanted, removable=removable), withheld, cut)


def _wanted(
    client: ListedClient,
    present: Present,
    ours: Collection[str],
    given: Mapping[str, str],
    kept_back: Collection[str],
) -> WantedPeer:
    """Endpoint and keepalive stay as they are: a client roams, and others may have set them."""
    key, allowed_ips = client.public_key, client.allowed_ips
    if kept_back:
        allowed_ips = tuple(prefix for prefix in allowed_ips if prefix not in kept_back)
    if key in present and key not in ours:
        more = (prefix for prefix in present[key] if given.get(prefix, key) == key)
        allowed_ips = tuple(dict.fromkeys((*allowed_ips, *more)))
    return WantedPeer(key, None, allowed_ips, None)
