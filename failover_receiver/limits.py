"""How often somebody may fail to say who they are. Pure: `now` is an argument, memory is bounded."""

import ipaddress
import math
from collections import OrderedDict

BURST = 10
"""Failures at once. Somebody who mistypes, or a restart with an old token, never meets the limit."""

REFILL_PER_SECOND = 1.0
"""A daemon that asks again with a revoked token once in a few seconds is answered 401 each time, which says why."""

SOURCES = 10_000
"""So many are remembered, the latest; at about 200 bytes each. Whoever has more addresses than that is not held by this."""

IPV6_SITE_BITS = 64
"""One machine has a whole /64 to itself, and may send from any address of it."""

TELL_SECONDS = 60.0
"""Between two lines in the log about one source: the log's disk is not for others to fill."""


def source(address: str) -> str:
    """What is counted together: an IPv4 address, or an IPv6 network of the size that one machine gets."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:  # A socket without an address, or what a proxy took for one.
        return address[:64]
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), IPV6_SITE_BITS), strict=False))


class Failures:
    """A bucket for each source: empty, it refuses until it has refilled by one."""

    def __init__(self) -> None:
        """Nobody has failed yet."""
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        """So many sources are remembered."""
        return len(self._buckets)

    def wait(self, address: str, *, now: float) -> int:
        """Whole seconds until that source may fail again; 0 if it may now."""
        left = self._left(source(address), now)
        return 0 if left >= 1 else math.ceil((1 - left) / REFILL_PER_SECOND)

    def count(self, address: str, *, now: float) -> None:
        """That source has failed once more."""
        key = source(address)
        self._buckets[key] = (max(0.0, self._left(key, now) - 1), now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > SOURCES:
            self._buckets.popitem(last=False)

    def _left(self, key: str, now: float) -> float:
        left, at = self._buckets.get(key, (float(BURST), now))
        # A clock that was set back takes nothing away and gives nothing.
        return min(float(BURST), left + max(0.0, now - at) * REFILL_PER_SECOND)


class Seldom:
    """Lets one line in the log through for each source and minute."""

    def __init__(self) -> None:
        """Nothing was told yet."""
        self._told: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        """So many sources are remembered."""
        return len(self._told)

    def now(self, address: str, *, now: float) -> bool:
        """Whether to tell of that source now; if so, not again for a while."""
        key = source(address)
        told = self._told.get(key)
        if told is not None and 0 <= now - told < TELL_SECONDS:
            return False
        self._told[key] = now
        self._told.move_to_end(key)
        if len(self._told) > SOURCES:
            self._told.popitem(last=False)
        return True
