"""What an interface that others made is like, and what of it would fight with wgfleet. Pure."""

import ipaddress
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from wgfleet.device import Device, Peer
from wgfleet.peerset import PublishedWorker

FAMILIES = (4, 6)


class Tunnel(StrEnum):
    """How much of the traffic goes through it: the word in the answer."""

    FULL = "full"
    """A peer has a default route, and the rules that it needs are there."""
    UNLED = "unled"
    """A peer has a default route, and the mark or a rule is missing: it does not lead there, or in circles."""
    PARTIAL = "partial"
    """Some networks only."""


@dataclass(frozen=True, slots=True)
class Maker:
    """One that says the interface is its own."""

    name: str
    """`wg-quick`, `systemd-networkd` or `NetworkManager`."""
    where: str
    """What it makes it from."""
    saves: bool = False
    """wg-quick: SaveConfig = true."""
    peer_routes: bool = False
    """NetworkManager: it routes what peers are allowed."""


@dataclass(frozen=True, slots=True)
class Known:
    """One peer, and which worker it is."""

    peer: Peer
    worker: str | None
    """None: none of the fleet's, or no peer set is known."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """A network that a peer has and that the fleet routes, too."""

    public_key: str
    prefix: str
    routed: str
    """The fleet's; the same prefix goes to the active worker, a smaller one stays with its peer."""


@dataclass(frozen=True, slots=True)
class Found:
    """All of it."""

    device: Device
    addresses: tuple[str, ...]
    peers: tuple[Known, ...]
    overlaps: tuple[Overlap, ...]
    tunnel: Tunnel
    missing: tuple[str, ...]
    """What a full tunnel lacks, each with the command that mends it."""


def found(
    device: Device,
    addresses: Iterable[str],
    workers: Collection[PublishedWorker],
    rules: Mapping[int, Sequence[Mapping[str, object]]],
) -> Found:
    """What there is.

    Args:
        device: the interface.
        addresses: its own, with their prefix lengths.
        workers: those of the peer set that is known; none, if none is.
        rules: what `ip -json rule show` prints, by family; one that the kernel does not have is absent.

    """
    names = {worker.public_key: worker.name for worker in workers}
    peers = tuple(Known(peer, names.get(peer.public_key)) for peer in device.peers)
    routed = sorted({prefix for worker in workers for prefix in worker.allowed_ips})
    overlaps = tuple(
        Overlap(known.peer.public_key, prefix, network)
        for known in peers
        if known.worker is None
        for prefix in known.peer.allowed_ips
        for network in routed
        if _within(prefix, network)
    )
    full = {
        network.version
        for prefix in [*routed, *(prefix for peer in device.peers for prefix in peer.allowed_ips)]
        if (network := ipaddress.ip_network(prefix)).prefixlen == 0
    }
    missing = _missing(device.firewall_mark, full, rules)
    tunnel = Tunnel.PARTIAL if not full else Tunnel.UNLED if missing else Tunnel.FULL
    return Found(device, tuple(addresses), peers, overlaps, tunnel, missing)


def _within(prefix: str, network: str) -> bool:
    one, other = ipaddress.ip_network(prefix), ipaddress.ip_network(network)
    if isinstance(one, ipaddress.IPv4Network):
        return isinstance(other, ipaddress.IPv4Network) and one.subnet_of(other)
    return isinstance(other, ipaddress.IPv6Network) and one.subnet_of(other)


def _missing(
    mark: int | None, full: Collection[int], rules: Mapping[int, Sequence[Mapping[str, object]]]
) -> tuple[str, ...]:
    if not full:
        return ()
    if mark is None:
        return (
            "a firewall mark, and rules that go by it: `wgfleet-sync adopt --bring-up` has the daemon set both",
        )
    missing = []
    for family in sorted(set(full) & rules.keys()):
        led = any(
            "not" in rule
            and int(str(rule.get("fwmark", "0")), 0) == mark
            and str(rule.get("table")) == str(mark)
            for rule in rules[family]
        )
        spared = any(
            rule.get("table") == "main" and rule.get("suppress_prefixlen") == 0 for rule in rules[family]
        )
        if not led:
            missing.append(f"`ip -{family} rule add not fwmark {mark} table {mark}`")
        if not spared:
            missing.append(f"`ip -{family} rule add table main suppress_prefixlength 0`")
    return tuple(missing)
