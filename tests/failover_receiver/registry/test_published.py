"""Tests of failover_receiver/registry/published.py."""

from dataclasses import replace

import pytest

from failover_receiver.registry.clients import REVOCATION_LIFETIME, Client, Revocation, Roll
from failover_receiver.registry.published import client_list, says_the_same
from wgfleet.clientlist import ClientList, ListedClient

NOON = 1_795_000_000.0
ANN = Client("ann", f"{1:042d}A=", ("10.99.0.7", "fd99::7"), ("192.168.7.0/24",), added_at=NOON)
BOB = Client("bob", f"{2:042d}A=", ("10.99.0.8",))
REVOCATIONS = (Revocation(f"{9:042d}A=", "old", NOON - 10), Revocation(f"{8:042d}A=", "older", NOON - 20))


def published(roll: Roll, now: float = NOON) -> ClientList:
    """The document of a roll."""
    return client_list(roll, fleet="acme", number=(3, 4), now=now, fresh_for=60.0)


def test_workers_are_told_what_their_peers_need() -> None:
    """Name, key and allowed IPs, in the order of the names."""
    said = published(Roll([BOB, ANN], REVOCATIONS, confirmed=(3, 1)))

    assert said == ClientList(
        fleet="acme",
        epoch=3,
        generation=4,
        issued_at=NOON,
        fresh_until=NOON + 60.0,
        clients=(
            ListedClient("ann", ANN.public_key, ("10.99.0.7/32", "fd99::7/128", "192.168.7.0/24")),
            ListedClient("bob", BOB.public_key, ("10.99.0.8/32",)),
        ),
        revoked=(f"{8:042d}A=", f"{9:042d}A="),
        removals_confirmed=(3, 1),
    )


def test_old_revocations_are_not_told() -> None:
    """Or the list would grow for ever."""
    said = published(Roll([], REVOCATIONS), now=NOON + REVOCATION_LIFETIME - 15)

    assert said.revoked == (f"{9:042d}A=",)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({"generation": 5, "issued_at": NOON + 1, "fresh_until": NOON + 61}, True),
        ({"epoch": 4}, False),
        ({"clients": ()}, False),
        ({"revoked": ()}, False),
        ({"removals_confirmed": (3, 3)}, False),
    ],
)
def test_a_list_is_behind_if_it_says_anything_else(other: dict[str, object], same: bool) -> None:
    """But when it was issued, and under which number: an epoch is raised because workers may hold other lists."""
    said = published(Roll([ANN], REVOCATIONS))

    assert says_the_same(said, replace(said, **other)) is same  # type: ignore[arg-type] # A table of any field.
