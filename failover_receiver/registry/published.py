"""The roll as the document that workers read. Pure: values in, values out."""

from failover_receiver.registry.clients import Client, Roll
from wgfleet.clientlist import ClientList, ListedClient


def client_list(
    roll: Roll, *, fleet: str, number: tuple[int, int], now: float, fresh_for: float
) -> ClientList:
    """The document that the roll publishes; the same roll always says the same, in the same order."""
    return ClientList(
        fleet=fleet,
        epoch=number[0],
        generation=number[1],
        issued_at=now,
        fresh_until=now + fresh_for,
        clients=tuple(listed(client) for _, client in sorted(roll.clients.items())),
        revoked=tuple(sorted(key for key in roll.revocations if roll.is_revoked(key, now))),
        removals_confirmed=roll.confirmed,
    )


def listed(client: Client) -> ListedClient:
    """What workers are told of one client."""
    return ListedClient(client.name, client.public_key, client.allowed_ips)


def says_the_same(one: ClientList, other: ClientList) -> bool:
    """Whether a worker would do the same by either, now and later."""
    return (one.epoch, one.clients, one.revoked, one.removals_confirmed) == (
        other.epoch,
        other.clients,
        other.revoked,
        other.removals_confirmed,
    )
