"""Tests of failover_receiver/registry/changes.py: devices for the identity that workers share."""

import dataclasses

import pytest

from failover_receiver.registry.changes import NO_SHARED, Draft
from failover_receiver.registry.pools import Pool
from failover_receiver.state import RefusedError
from tests.failover_receiver.registry.drafts import OTHERS, draft, rolled, wish

SHARED = (Pool("10.98.0.0/16"), Pool("fd98::/64"))


def shared() -> Draft:
    """Where workers share one."""
    return draft(shared=SHARED)


def test_a_device_is_given_addresses_of_the_shared_pools() -> None:
    """And others none of them."""
    changed = shared()

    assert changed.put(wish("phone", 1, shared=True)).addresses == ("10.98.0.1", "fd98::1")
    assert changed.put(wish("ann", 2)).addresses[0].startswith("10.99.")


def test_a_device_that_has_shared_addresses_keeps_them() -> None:
    """With a new key, too."""
    changed = shared()
    changed.put(wish("tablet", 1, shared=True))
    before = changed.put(wish("phone", 2, shared=True))

    assert changed.put(wish("phone", 3, shared=True, new_key=True)).addresses == before.addresses


def test_a_client_that_becomes_such_a_device_gets_new_addresses() -> None:
    """Workers tell by the address which interface it is a peer of."""
    changed = draft(rolled(wish("phone", 1)), shared=SHARED)

    assert changed.put(wish("phone", 2, shared=True, new_key=True)).addresses == ("10.98.0.1", "fd98::1")


def test_an_address_outside_the_shared_pools_is_refused() -> None:
    """The device would be a peer of the wrong interface."""
    with pytest.raises(RefusedError, match=r"addresses: 10\.97\.0\.1 is not within pools of \[shared\]"):
        shared().put(wish("phone", 1, "10.97.0.1", shared=True))


def test_one_of_the_shared_pools_may_be_said() -> None:
    """As any address may."""
    assert shared().put(wish("phone", 1, "10.98.0.77", shared=True)).addresses == ("10.98.0.77",)


def test_where_workers_share_nothing_there_is_no_such_device() -> None:
    """The refusal says where it is said that they do."""
    with pytest.raises(RefusedError) as refused:
        draft().put(wish("phone", 1, shared=True))

    assert str(refused.value) == NO_SHARED


def test_the_workers_own_addresses_are_given_to_no_device() -> None:
    """Nor may one be said: packets for the device would stay on the worker."""
    others = dataclasses.replace(OTHERS, shared=("10.98.0.1", "fd98::1"))
    changed = draft(shared=SHARED, others=others)

    assert changed.put(wish("phone", 1, shared=True)).addresses == ("10.98.0.2", "fd98::2")
    with pytest.raises(RefusedError, match=r"10\.98\.0\.1 overlaps with an address of worker '\[shared\]'"):
        changed.put(wish("tablet", 2, "10.98.0.1", shared=True))
