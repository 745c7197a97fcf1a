"""The difference between the peers an interface has and the peers it should have.

Two facts of WireGuard shape it. A prefix belongs to one peer and the last set wins, so giving a prefix to its
new peer also takes it from the old one: a failover is one change, and never begins by taking away. And a set of
allowed IPs replaces the peer's whole list.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from wgfleet.device import Device, Peer


@dataclass(frozen=True, slots=True)
class WantedPeer:
    """How a peer should be."""

    public_key: str
    endpoint: str | None
    """`address:port`; None leaves what the device has (a peer that roams, as clients do on a worker)."""
    allowed_ips: tuple[str, ...]
    persistent_keepalive: int | None
    """Seconds; None turns keepalives off."""


class Kind(StrEnum):
    """What a change does to its peer."""

    ADD = "add"
    UPDATE = "update"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class PeerChange:
    """One peer's change. A field that is None stays as it is; an empty `allowed_ips` takes all away."""

    kind: Kind
    public_key: str
    endpoint: str | None = None
    allowed_ips: tuple[str, ...] | None = None
    persistent_keepalive: int | None = None
    """Seconds; 0 turns keepalives off."""

    def __str__(self) -> str:
        """Say the change in wg(8)'s words, for the log."""
        words = [f"{self.kind} peer {self.public_key}"]
        if self.endpoint is not None:
            words.append(f"endpoint {self.endpoint}")
        if self.allowed_ips is not None:
            words.append(f"allowed-ips {','.join(self.allowed_ips) or '(none)'}")
        if self.persistent_keepalive is not None:
            words.append(f"persistent-keepalive {self.persistent_keepalive or 'off'}")
        return " ".join(words)


def difference(
    device: Device, wanted: Sequence[WantedPeer], *, removable: Collection[str] = ()
) -> tuple[PeerChange, ...]:
    """What must change so that the device has the wanted peers; empty if nothing.

    A peer that is neither wanted nor removable is somebody else's and is left alone, except that WireGuard itself
    moves a wanted prefix away from it. Growing comes before shrinking. A prefix that is wanted for several peers is
    the last one's, as it would be after setting them in turn.
    """
    present = {peer.public_key: peer for peer in device.peers}
    given = {prefix: peer.public_key for peer in wanted for prefix in peer.allowed_ips}
    grown: list[PeerChange] = []
    shrunk: list[PeerChange] = []
    for peer in wanted:
        own = tuple(prefix for prefix in peer.allowed_ips if given[prefix] == peer.public_key)
        # Of ten thousand, none is copied for nothing.
        alone = peer if own == peer.allowed_ips else replace(peer, allowed_ips=own)
        change = _change(present.get(peer.public_key), alone, given)
        if change is not None:
            (shrunk if _only_shrinks(present.get(peer.public_key), change) else grown).append(change)
    wanted_keys = {peer.public_key for peer in wanted}
    removed = [PeerChange(Kind.REMOVE, key) for key in present if key in removable and key not in wanted_keys]
    return (*_without_gaps(grown, present), *shrunk, *removed)


def _change(present: Peer | None, wanted: WantedPeer, given: dict[str, str]) -> PeerChange | None:
    keepalive = wanted.persistent_keepalive or 0
    if present is None:
        return PeerChange(Kind.ADD, wanted.public_key, wanted.endpoint, wanted.allowed_ips, keepalive or None)
    has = set(present.allowed_ips)
    wants = set(wanted.allowed_ips)
    # What another wanted peer is given leaves this one by itself.
    goes_by_itself = {
        prefix for prefix in has - wants if given.get(prefix, wanted.public_key) != wanted.public_key
    }
    change = PeerChange(
        Kind.UPDATE,
        wanted.public_key,
        endpoint=wanted.endpoint if wanted.endpoint not in (None, present.endpoint) else None,
        allowed_ips=wanted.allowed_ips if has - goes_by_itself != wants else None,
        persistent_keepalive=keepalive if keepalive != (present.persistent_keepalive or 0) else None,
    )
    return None if change == PeerChange(Kind.UPDATE, wanted.public_key) else change


def _only_shrinks(present: Peer | None, change: PeerChange) -> bool:
    return (
        present is not None
        and change.allowed_ips is not None
        and set(change.allowed_ips) < set(present.allowed_ips)
    )


def _without_gaps(grown: Sequence[PeerChange], present: Mapping[str, Peer]) -> list[PeerChange]:
    """Let each peer keep what a later change gives to another: its own change would drop it before that one takes it."""
    later: set[str] = set()
    changes: list[PeerChange] = []
    for change in reversed(grown):
        allowed_ips = change.allowed_ips
        if allowed_ips is not None and change.kind is Kind.UPDATE:
            has = present[change.public_key].allowed_ips
            allowed_ips += tuple(prefix for prefix in has if prefix in later)
        changes.append(
            change if allowed_ips == change.allowed_ips else replace(change, allowed_ips=allowed_ips)
        )
        later.update(change.allowed_ips or ())
    return changes[::-1]


def arguments(changes: Sequence[PeerChange]) -> list[str]:
    """The words after `wg set <interface>` that carry the changes out, in their order."""
    words: list[str] = []
    for change in changes:
        words += ["peer", change.public_key]
        if change.kind is Kind.REMOVE:
            words.append("remove")
            continue
        if change.endpoint is not None:
            words += ["endpoint", change.endpoint]
        if change.persistent_keepalive is not None:
            words += ["persistent-keepalive", str(change.persistent_keepalive)]
        if change.allowed_ips is not None:
            words += ["allowed-ips", ",".join(change.allowed_ips)]
    return words


def fits_file(change: PeerChange) -> bool:
    """Whether a file can say the change: it removes nobody, and always says a peer's whole list of allowed IPs."""
    return change.kind is not Kind.REMOVE and change.allowed_ips is not None


def configuration(changes: Sequence[PeerChange]) -> str:
    """The file for `wg addconf` that carries out changes which fit one."""
    lines: list[str] = []
    for change in changes:
        lines += ["[Peer]", f"PublicKey = {change.public_key}"]
        if change.allowed_ips:  # wg(8) does not take an empty list, and none at all means the same.
            lines.append(f"AllowedIPs = {', '.join(change.allowed_ips)}")
        if change.endpoint is not None:
            lines.append(f"Endpoint = {change.endpoint}")
        if change.persistent_keepalive is not None:
            lines.append(f"PersistentKeepalive = {change.persistent_keepalive or 'off'}")
    return "".join(f"{line}\n" for line in lines)
