"""Tests of failover_receiver/registry/changes.py and clients.py: what may be done to the roll of clients."""

import re
from collections.abc import Callable

import pytest

from failover_receiver.registry.changes import Draft
from failover_receiver.registry.clients import (
    FREED_FOR,
    REVOCATION_LIFETIME,
    Wish,
    check_network,
    check_own,
)
from failover_receiver.registry.pools import Pool
from failover_receiver.state import RefusedError, UnknownError
from tests.failover_receiver.registry.drafts import NOON, draft, key, rolled, wish
from tests.failover_receiver.story import spec


def refusal(changed: Draft, what: Callable[[Draft], object]) -> str:
    """Why it was refused."""
    with pytest.raises(RefusedError) as caught:
        what(changed)
    return str(caught.value)


# Addresses.


def test_a_new_client_gets_the_lowest_free_address_of_each_family() -> None:
    """Neither the network's own, nor a worker's, nor another client's."""
    changed = draft()

    given_out = [changed.put(wish(name, number)).addresses for number, name in enumerate(("ann", "bob"))]

    assert given_out == [("10.99.0.3", "fd99::1"), ("10.99.0.4", "fd99::2")]


def test_addresses_outside_the_pools_are_taken_as_they_are_said() -> None:
    """Those of a setup that was there before; nothing is added to them."""
    client = draft().put(wish("ann", 1, "10.6.0.2"))

    assert client.addresses == ("10.6.0.2",)
    assert client.allowed_ips == ("10.6.0.2/32",)


def test_what_an_operator_says_is_kept_free_of_what_the_pools_give() -> None:
    """Whatever the order in one change."""
    clients, faults = draft().put_all([wish("ann", 1), wish("bob", 2, "10.99.0.3", "fd99::1")])

    assert faults == []
    assert {client.name: client.addresses for client in clients} == {
        "bob": ("10.99.0.3", "fd99::1"),
        "ann": ("10.99.0.4", "fd99::2"),
    }


def test_a_network_behind_a_client_takes_its_addresses_from_the_pool() -> None:
    """They are its own."""
    changed = draft()
    changed.put(wish("ann", 1, "10.7.0.2", networks=("10.99.0.3/32", "10.99.0.4/30")))

    assert changed.put(wish("bob", 2)).addresses == ("10.99.0.8", "fd99::1")


def test_an_address_that_was_freed_just_now_is_not_given() -> None:
    """For an hour; then it is the lowest again."""
    changed = draft(rolled(wish("ann", 1), wish("bob", 2)))
    changed.revoke("ann")

    soon = draft(changed.roll, now=NOON + FREED_FOR - 1).put(wish("cat", 3))
    later = draft(changed.roll, now=NOON + FREED_FOR).put(wish("cat", 3))

    assert (soon.addresses[0], later.addresses[0]) == ("10.99.0.5", "10.99.0.3")


def test_an_address_that_was_freed_just_now_is_given_if_there_is_no_other() -> None:
    """Better than no client."""
    pools = (Pool("10.99.0.0/29"),)
    changed = draft(pools=pools)
    for number in range(4):
        changed.put(wish(f"c{number}", number))
    changed.revoke("c1")

    assert changed.put(wish("new", 9)).addresses == ("10.99.0.4",)
    assert "10.99.0.4" not in changed.roll.freed


def test_an_exhausted_pool_is_named() -> None:
    """With what can be done."""
    changed = draft(pools=(Pool("10.99.0.0/30"), Pool("10.98.0.0/32")))
    changed.put(wish("ann", 1))

    assert refusal(changed, lambda it: it.put(wish("bob", 2))) == (
        "no address is free in 10.99.0.0/30, 10.98.0.0/32: revoke clients that are gone, or add a network to "
        "client_pools"
    )


def test_a_second_pool_is_used_when_the_first_is_full() -> None:
    """In the order in which they are configured."""
    changed = draft(pools=(Pool("10.99.0.0/30"), Pool("10.98.0.0/24")))

    assert changed.put(wish("ann", 1)).addresses == ("10.98.0.1",)


def test_without_pools_addresses_must_be_said() -> None:
    """The refusal says both ways out."""
    assert refusal(draft(pools=()), lambda it: it.put(wish("ann", 1))) == (
        "client 'ann' has no addresses: say them, or set client_pools in receiver.toml, as client_pools = "
        '["10.99.0.0/16"]'
    )


@pytest.mark.parametrize("address", ["10.99.0.0", "10.99.255.255", "fd99::"])
def test_a_pools_own_and_its_broadcast_address_are_nobodys(address: str) -> None:
    """The kernel would treat them in a way of its own. IPv6 has no broadcast."""
    assert refusal(draft(), lambda it: it.put(wish("ann", 1, address))).startswith(
        f"addresses: {address} is the network's own or its broadcast address in "
    )
    draft().put(wish("ann", 1, "10.98.255.255", "fd99::ffff:ffff:ffff:ffff"))


# What belongs to another.


@pytest.mark.parametrize(
    ("wished", "error"),
    [
        (wish("fra1", 9), "name 'fra1' is already that of a worker: choose another"),
        (
            wish("operator", 9),
            "name 'operator' is that of a token with the role operator: choose another",
        ),
        (
            Wish("bob", spec(1).public_key),
            f"public_key '{spec(1).public_key}' is already that of worker 'fra1'",
        ),
        (wish("bob", 1), f"public_key '{key(1)}' is already that of client 'ann': each has its own"),
        (
            wish("bob", 9, "10.99.0.2"),
            "addresses: 10.99.0.2 overlaps with an address of worker 'ams1': choose another",
        ),
        (
            wish("bob", 9, "10.7.0.1", "10.6.0.2"),
            "addresses: 10.6.0.2 overlaps with what client 'ann' has: choose another",
        ),
        (
            wish("bob", 9, "192.168.7.9"),
            "addresses: 192.168.7.9 overlaps with what client 'ann' has: choose another",
        ),
        (
            wish("bob", 9, "10.7.0.1", networks=("10.6.0.0/24",)),
            "networks: 10.6.0.0/24 overlaps with what client 'ann' has: choose another",
        ),
        (
            wish("bob", 9, "10.7.0.1", networks=("192.168.7.128/25",)),
            "networks: 192.168.7.128/25 overlaps with what client 'ann' has: choose another",
        ),
        (
            wish("bob", 9, "10.7.0.1", networks=("10.99.0.0/24",)),
            "networks: 10.99.0.0/24 overlaps with an address of worker 'ams1': choose another",
        ),
    ],
)
def test_what_belongs_to_another_is_refused(wished: Wish, error: str) -> None:
    """With the field, its value and whose it is; and nothing changed."""
    changed = draft(rolled(wish("ann", 1, "10.6.0.2", networks=("192.168.7.0/24",))))

    assert refusal(changed, lambda it: it.put(wished)) == error
    assert list(changed.roll.clients) == ["ann"]


def test_a_client_is_not_in_its_own_way() -> None:
    """It may move within its own network, and keep what it has."""
    changed = draft(rolled(wish("ann", 1, "10.6.0.2", networks=("10.6.1.0/24",))))

    moved = changed.put(wish("ann", 1, "10.6.1.7", networks=("10.6.0.0/24", "10.6.1.0/24")))

    assert changed.roll.clients == {"ann": moved}


# Changing.


def test_what_is_left_out_stays_as_it_is() -> None:
    """Only what is said changes."""
    roll = rolled(wish("ann", 1, "10.6.0.2", networks=("192.168.7.0/24",)))

    readdressed = draft(roll).put(wish("ann", 1, "10.6.0.3"))
    emptied = draft(roll).put(wish("ann", 1, networks=()))

    assert (readdressed.addresses, readdressed.networks) == (("10.6.0.3",), ("192.168.7.0/24",))
    assert (emptied.addresses, emptied.networks) == (("10.6.0.2",), ())


def test_what_changes_nothing_leaves_no_trace() -> None:
    """No row to write, nothing to note, no document."""
    changed = draft(rolled(wish("ann", 1)), now=NOON + 9)

    changed.put(wish("ann", 1))

    assert (changed.changes.clients, changed.changes.notes) == (set(), [])


def test_a_name_keeps_its_key() -> None:
    """Or a slip of the finger would cut a client off; the refusal says how it is meant."""
    changed = draft(rolled(wish("ann", 1)))

    assert refusal(changed, lambda it: it.put(wish("ann", 2))) == (
        f"client 'ann' has the public_key '{key(1)}', not '{key(2)}': it would be cut off; choose another name, or "
        "say that it has a new key (--new-key)"
    )


def test_a_replaced_key_is_revoked_and_the_addresses_stay() -> None:
    """Workers may forget it unasked, and it lets nobody in."""
    changed = draft(rolled(wish("ann", 1)))

    client = changed.put(wish("ann", 2, new_key=True))

    assert (client.public_key, client.addresses) == (key(2), ("10.99.0.3", "fd99::1"))
    assert list(changed.roll.revocations) == [key(1)]
    assert changed.roll.by_key == {key(2): "ann"}


def test_a_revoked_key_does_not_come_back_by_mistake() -> None:
    """Importing an old configuration again must not let it in; an operator who means it says so."""
    changed = draft(rolled(wish("ann", 1)))
    changed.revoke("ann")

    assert refusal(changed, lambda it: it.put(wish("bob", 1))) == (
        f"public_key '{key(1)}' was taken from client 'ann': let the client make a new one, or say that it shall be "
        "let in again (--again)"
    )
    changed.put(wish("bob", 1, again=True))
    assert (list(changed.roll.clients), changed.roll.revocations) == (["bob"], {})


def test_a_revoked_client_is_gone_with_all_it_had() -> None:
    """Its token too; its key is remembered."""
    changed = draft(rolled(wish("ann", 1)))

    changed.revoke("ann")

    assert (changed.roll.clients, list(changed.roll.revocations)) == ({}, [key(1)])
    assert changed.changes.tokens == {"ann"}
    assert [(what, subject) for what, subject, _ in changed.changes.notes] == [("client revoked", "ann")]


def test_an_unknown_client_cannot_be_revoked() -> None:
    """It is told apart from what is refused."""
    with pytest.raises(UnknownError, match="there is no client 'ann': `wgfleet client list` names all"):
        draft().revoke("ann")


def test_what_is_too_old_is_forgotten() -> None:
    """Revocations after 90 days, given back addresses after an hour, and not before."""
    changed = draft(rolled(wish("ann", 1)))
    changed.revoke("ann")
    hour, days = (
        draft(changed.roll, now=NOON + FREED_FOR),
        draft(changed.roll, now=NOON + REVOCATION_LIFETIME),
    )
    late = draft(changed.roll, now=NOON + REVOCATION_LIFETIME + 1)

    for one in (hour, days, late):
        one.prune()

    assert [(len(one.roll.revocations), len(one.roll.freed)) for one in (hour, days, late)] == [
        (1, 0),
        (1, 0),
        (0, 0),
    ]


def test_a_revocation_that_is_too_old_stops_nobody() -> None:
    """Whether or not it has been forgotten yet."""
    changed = draft(rolled(wish("ann", 1)))
    changed.revoke("ann")

    draft(changed.roll, now=NOON + REVOCATION_LIFETIME + 1).put(wish("ann", 1))


# Many at once.


def test_every_fault_is_listed_by_its_client() -> None:
    """One look, one repair."""
    wishes = [wish("ann", 1), wish("bob", 1), wish("ann", 3), wish("fra1", 4), wish("dan", 5, "10.99.0.1")]

    _, faults = draft().put_all(wishes)

    assert faults == [
        ("dan", "addresses: 10.99.0.1 overlaps with an address of worker 'fra1': choose another"),
        ("bob", f"public_key '{key(1)}' is already that of client 'ann': each has its own"),
        ("ann", "name 'ann' is there twice: each client has its own"),
        ("fra1", "name 'fra1' is already that of a worker: choose another"),
    ]


def test_a_dropped_draft_has_changed_nothing() -> None:
    """The roll is as it was, in every index."""
    roll = rolled(wish("ann", 1))
    changed = draft(roll)

    changed.revoke("ann")
    changed.put(wish("bob", 2))
    changed.confirm()

    assert (list(roll.clients), list(roll.by_key), roll.revocations, roll.freed, roll.confirmed) == (
        ["ann"],
        [key(1)],
        {},
        {},
        None,
    )
    assert draft(roll).put(wish("bob", 2)).addresses == ("10.99.0.4", "fd99::2")


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1", "224.0.0.1", "::", "::1", "ff02::1"])
def test_some_addresses_are_nobodys(address: str) -> None:
    """A packet to them never goes through a tunnel."""
    message = f"{address} is no address that a client can have inside the tunnel: as 10.99.0.7"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        check_own(address)


@pytest.mark.parametrize(
    ("network", "why"),
    [
        ("0.0.0.0/0", "would send everything to this one client"),
        ("::/0", "would send everything to this one client"),
        ("127.0.0.0/8", "is no network that can be behind a client"),
        ("ff00::/8", "is no network that can be behind a client"),
    ],
)
def test_some_networks_are_behind_nobody(network: str, why: str) -> None:
    """The default route least of all: it would take every other client's traffic."""
    with pytest.raises(ValueError, match=re.escape(f"{network} {why}")):
        check_network(network)
