"""Tests of wgfleet/device.py."""

import dataclasses

from wgfleet.device import Device, Peer


def peer(public_key: str) -> Peer:
    """A peer of which only the key matters."""
    return Peer(public_key, None, (), None, 0, 0, None)


def test_a_peer_is_found_by_its_key() -> None:
    """Of several peers the one with the key is given."""
    device = Device("wg0", None, 0, None, (peer("one"), peer("two"), peer("three")))

    assert peer("two") == device.peer("two")


def test_an_unknown_key_finds_no_peer() -> None:
    """A key that no peer has gives None, not an error."""
    device = Device("wg0", None, 0, None, (peer("one"),))

    assert device.peer("two") is None


def test_there_is_no_field_for_a_secret() -> None:
    """The only key that the values can hold is the public one."""
    fields = [field.name for kind in (Device, Peer) for field in dataclasses.fields(kind)]

    assert [name for name in fields if "key" in name or "secret" in name] == ["public_key", "public_key"]
