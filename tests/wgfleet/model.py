"""A small model of WireGuard, as far as allowed IPs go.

Its rules are WireGuard's: a prefix belongs to one peer, the last set wins, and a set of allowed IPs replaces the peer's
whole list. test_wg.py holds the real one to the same.
"""

import dataclasses
from collections.abc import Iterable

from wgfleet.device import Device, Peer
from wgfleet.diff import Kind, PeerChange


def after(device: Device, change: PeerChange) -> Device:
    """What WireGuard makes of the device."""
    others = [peer for peer in device.peers if peer.public_key != change.public_key]
    if change.kind is Kind.REMOVE:
        return dataclasses.replace(device, peers=tuple(others))
    peer = device.peer(change.public_key) or Peer(change.public_key, None, (), None, 0, 0, None)
    if change.endpoint is not None:
        peer = dataclasses.replace(peer, endpoint=change.endpoint)
    if change.persistent_keepalive is not None:
        peer = dataclasses.replace(peer, persistent_keepalive=change.persistent_keepalive or None)
    if change.allowed_ips is not None:
        peer = dataclasses.replace(peer, allowed_ips=change.allowed_ips)
        others = [without(other, change.allowed_ips) for other in others]
    return dataclasses.replace(device, peers=(*others, peer))


def without(peer: Peer, prefixes: Iterable[str]) -> Peer:
    """The peer when others have taken these prefixes."""
    left = tuple(prefix for prefix in peer.allowed_ips if prefix not in prefixes)
    return dataclasses.replace(peer, allowed_ips=left)


def owners(device: Device) -> dict[str, str]:
    """The key of the peer that each prefix rests on."""
    return {prefix: peer.public_key for peer in device.peers for prefix in peer.allowed_ips}
