"""The client list: which clients there are. The same document for every worker.

On the wire it is JSON inside a JWS, as the peer set (peerset.py), with a type of its own: a worker that is given a
peer set in its place refuses it.

A worker applies each list as it comes, but one that would take away many clients at once: an empty or restored
database looks exactly like that. `removal_allowed` is the rule, for the receiver and for the workers.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wgfleet.fields import DocumentError, Fields, opened
from wgfleet.names import check_name, check_prefix, check_public_key

TYPE = "wgfleet/client-list"
FORMAT = 1

MANY_CLIENTS = 5
MANY_PART = 10
"""More than five clients, and more than one in ten of them, is no everyday change: it must be explained."""

NAMED = 3
"""A refusal names so many of the clients; the rest is a number."""


@dataclass(frozen=True, slots=True)
class ListedClient:
    """One client as the workers' peers have it."""

    name: str
    public_key: str
    allowed_ips: tuple[str, ...]
    """Its tunnel addresses as /32 and /128, and the networks behind it."""


@dataclass(frozen=True, slots=True)
class ClientList:
    """The document. (epoch, generation) only rises."""

    fleet: str
    epoch: int
    generation: int
    issued_at: float
    """UNIX time, seconds."""
    fresh_until: float
    """UNIX time, seconds. Older raises an alarm and stops nothing."""
    clients: tuple[ListedClient, ...]
    revoked: tuple[str, ...] = ()
    """Public keys that an operator took away, or replaced, within the last 90 days."""
    removals_confirmed: tuple[int, int] | None = None
    """The number of the list by which an operator said that everything missing from it shall go."""

    @property
    def number(self) -> tuple[int, int]:
        """What documents are ordered by."""
        return self.epoch, self.generation

    def to_bytes(self) -> bytes:
        """The payload to sign."""
        # Not dataclasses.asdict, which copies each value of ten thousand clients.
        document = {
            "type": TYPE,
            "format": FORMAT,
            "fleet": self.fleet,
            "epoch": self.epoch,
            "generation": self.generation,
            "issued_at": self.issued_at,
            "fresh_until": self.fresh_until,
            "clients": [
                {"name": one.name, "public_key": one.public_key, "allowed_ips": one.allowed_ips}
                for one in self.clients
            ],
            "revoked": self.revoked,
            "removals_confirmed": self.removals_confirmed,
        }
        return json.dumps(document, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, payload: bytes, *, fleet: str, before: "ClientList | None" = None) -> "ClientList":
        """Read a payload whose signature has been checked; quicker with the last one, `before`.

        Raises:
            DocumentError: another type, format or fleet, or a field that is missing or wrong.

        """
        fields = opened(payload, "client list", kind=TYPE, form=FORMAT, fleet=fleet)
        # Who is as in the last list is that same value: of ten thousand, one that was added is checked.
        known = {} if before is None else {client.name: client for client in before.clients}
        clients = tuple(
            _unchanged(known, entry) or _client(number, entry)
            for number, entry in enumerate(fields.get("clients", list))
        )
        _no_twins(clients)
        return cls(
            fleet=fleet,
            epoch=fields.get("epoch", int),
            generation=fields.get("generation", int),
            issued_at=fields.number("issued_at"),
            fresh_until=fields.number("fresh_until"),
            clients=clients,
            revoked=fields.texts("revoked", check_public_key),
            removals_confirmed=_number(fields),
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a list is not applied."""

    removed: tuple[str, ...]
    """Names of all clients that it would take away."""
    unexplained: tuple[str, ...]
    """Those of them that nobody revoked."""
    of: int
    """How many clients are held."""

    def __str__(self) -> str:
        """For the log, with what to do next."""
        named = ", ".join(self.unexplained[:NAMED])
        more = f" and {len(self.unexplained) - NAMED} more" if len(self.unexplained) > NAMED else ""
        return (
            f"the client list would remove {len(self.removed)} of {self.of} clients at once, and nobody revoked "
            f"{named}{more}: if they shall go, `wgfleet client confirm-removals`; if not, restore the receiver's backup"
        )


def removal_allowed(held: ClientList, new: ClientList) -> Refusal | None:
    """None if a worker that holds one list may apply the other; else why not.

    A list may take away few clients (five, or a tenth of them) without more ado. More only if an operator revoked
    each of them, or has confirmed the removals by a list that the worker has not seen yet: its number is newer than
    the one that is held. A confirmation so counts once for each worker, and one that is away does not miss it; a
    list emptied after that needs another.
    """
    kept = {client.public_key for client in new.clients}
    removed = [client for client in held.clients if client.public_key not in kept]
    if len(removed) <= MANY_CLIENTS or len(removed) * MANY_PART <= len(held.clients):
        return None
    if new.removals_confirmed is not None and new.removals_confirmed > held.number:
        return None
    revoked = frozenset(new.revoked)
    unexplained = tuple(client.name for client in removed if client.public_key not in revoked)
    if not unexplained:
        return None
    return Refusal(tuple(client.name for client in removed), unexplained, len(held.clients))


def _unchanged(known: Mapping[str, ListedClient], entry: object) -> ListedClient | None:
    try:
        client = known[entry["name"]]  # type: ignore[index] # What is no object raises TypeError.
        same = entry["public_key"] == client.public_key and entry["allowed_ips"] == [*client.allowed_ips]  # type: ignore[index] # Likewise.
    except (KeyError, TypeError):
        return None
    return client if same else None


def _client(number: int, entry: object) -> ListedClient:
    fields = Fields(f"client {number}", entry)
    name = fields.get("name", str, check=check_name)
    fields.where = f"client {name}"
    return ListedClient(
        name=name,
        public_key=fields.get("public_key", str, check=check_public_key),
        allowed_ips=fields.texts("allowed_ips", check_prefix),
    )


def _no_twins(clients: tuple[ListedClient, ...]) -> None:
    """A prefix belongs to one peer (wg(8)): of two that claim it the last would get the other's packets."""
    _differ("name", [client.name for client in clients])
    _differ("public_key", [client.public_key for client in clients])
    _differ("allowed_ips", [prefix for client in clients for prefix in dict.fromkeys(client.allowed_ips)])


def _differ(what: str, values: Sequence[str]) -> None:
    if len(set(values)) == len(values):
        return
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise DocumentError(f"two clients of the client list have the same {what}: {value}")
        seen.add(value)


def _number(fields: Fields) -> tuple[int, int] | None:
    said: list[int] = fields.get("removals_confirmed", list, default=None)
    if said is None:
        return None
    if len(said) != 2 or not all(type(part) is int for part in said):
        raise DocumentError(
            f"{fields.where}: removals_confirmed is {said!r}, expected an epoch and a generation, or null"
        )
    return said[0], said[1]
