"""Which addresses are taken, by whom, and which one is given next. Pure: values in, values out."""

import ipaddress
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple


class Span(NamedTuple):
    """Addresses from the first to the last, as numbers."""

    version: int
    first: int
    last: int


def span(prefix: str) -> Span:
    """A network or a single address as numbers."""
    address, _, length = prefix.partition("/")
    if not length or length == ("128" if ":" in address else "32"):
        # Ten thousand clients are mostly these, and a network takes longer to read.
        single = ipaddress.ip_address(address)
        return Span(single.version, int(single), int(single))
    network = ipaddress.ip_network(prefix)
    return Span(network.version, int(network.network_address), int(network.broadcast_address))


def spans(prefixes: Iterable[str]) -> list[Span]:
    """The same addresses without overlaps: what one holds may say them twice, as 10.9.0.2/32 within 10.9.0.0/24."""
    joined: list[Span] = []
    for one in sorted(map(span, prefixes)):
        if joined and joined[-1].version == one.version and one.first <= joined[-1].last:
            joined[-1] = joined[-1]._replace(last=max(joined[-1].last, one.last))
        else:
            joined.append(one)
    return joined


@dataclass(frozen=True)
class Pool:
    """A network that clients' addresses are given from."""

    network: str

    @cached_property
    def usable(self) -> Span:
        """Without the network's own address and IPv4's broadcast address, where a network has them."""
        whole = span(self.network)
        if whole.last - whole.first < 2:  # A point-to-point network or a single address: each counts.
            return whole
        return Span(whole.version, whole.first + 1, whole.last - (whole.version == 4))

    def has(self, address: Span) -> bool:
        """Whether it lies in the network."""
        whole = span(self.network)
        return (
            whole.version == address.version and whole.first <= address.first and address.last <= whole.last
        )

    def has_end(self, address: Span) -> bool:
        """Whether it is one of the two that are nobody's: the network's own, or IPv4's broadcast address."""
        usable = self.usable
        return self.has(address) and not usable.first <= address.first <= usable.last


class Space:
    """Spans that do not overlap, each with its owner; in order, so that neighbours are found by bisection."""

    def __init__(self, held: Iterable[tuple[int, int, int, str]] = ()) -> None:
        """Begin with these: version, first, last, owner."""
        self._held = sorted(held)

    def copy(self) -> "Space":
        """Another that changes by itself."""
        copied = Space()
        copied._held = self._held.copy()
        return copied

    def take(self, taken: Iterable[Span], owner: str) -> None:
        """Give these to an owner; none of them is another's."""
        for one in taken:
            insort(self._held, (*one, owner))

    def free(self, freed: Iterable[Span], owner: str) -> None:
        """Take back what was taken in just these spans."""
        for one in freed:
            del self._held[bisect_left(self._held, (*one, owner))]

    def owner(self, wanted: Span) -> str | None:
        """Who holds any address of it; None if nobody does."""
        # Of those that begin before its end, the last one also ends last, because they do not overlap.
        before = bisect_left(self._held, (wanted.version, wanted.last + 1)) - 1
        if before < 0:
            return None
        version, _, last, owner = self._held[before]
        return owner if version == wanted.version and last >= wanted.first else None

    def free_from(self, version: int, at: int) -> int:
        """The first address from there on that nobody holds."""
        index = max(0, bisect_left(self._held, (version, at + 1)) - 1)
        while index < len(self._held):
            held_version, first, last, _ = self._held[index]
            if held_version > version or (held_version == version and first > at):
                break
            if held_version == version and last >= at:
                at = last + 1
            index += 1
        return at


def lowest_free(pool: Pool, held: Sequence[Space], *, start: int = 0) -> int | None:
    """The lowest address of the pool, from there on, that is in none of the spaces; None if all are taken."""
    usable = pool.usable
    at = max(start, usable.first)
    while at <= usable.last:
        after = at
        for space in held:
            after = space.free_from(usable.version, after)
        if after == at:
            return at
        at = after
    return None


def text(version: int, number: int) -> str:
    """The address in its shortest form."""
    return str(ipaddress.IPv4Address(number) if version == 4 else ipaddress.IPv6Address(number))
