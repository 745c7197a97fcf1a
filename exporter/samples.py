"""What is said of a WireGuard interface: values in, samples out. No clock, no file; `now` is an argument.

The interface's traffic comes from the network device's own counters, not from the sum over its peers: a peer that is
removed would take its share out of the sum, which Prometheus reads as a restart. And what never happened has no
sample: a peer without a handshake must not look as if it had one in 1970, or just now.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping

from exporter import metrics
from exporter.metrics import Family, Sample
from exporter.netdev import Backend, Netdev
from wgfleet.dump import Table

ACTIVE_SECONDS = 180
"""WireGuard's REJECT_AFTER_TIME: a session that is older carries nothing any more."""

AGES_SECONDS: Mapping[str, float] = {
    "30": 30.0,
    "120": 120.0,  # REKEY_AFTER_TIME: a peer with traffic is never older for long.
    "180": ACTIVE_SECONDS,
    "600": 600.0,
    "3600": 3600.0,
    "+Inf": float("inf"),
}
"""As the label `max_age_seconds` writes them. `le` is reserved for histograms, and ages are no histogram: they fall."""

NETDEV_COUNTERS: Mapping[str, Family] = {
    "rx_bytes": metrics.INTERFACE_RECEIVE_BYTES,
    "tx_bytes": metrics.INTERFACE_TRANSMIT_BYTES,
    "rx_packets": metrics.INTERFACE_RECEIVE_PACKETS,
    "tx_packets": metrics.INTERFACE_TRANSMIT_PACKETS,
    "rx_errors": metrics.INTERFACE_RECEIVE_ERRORS,
    "tx_errors": metrics.INTERFACE_TRANSMIT_ERRORS,
    "rx_dropped": metrics.INTERFACE_RECEIVE_DROPS,
    "tx_dropped": metrics.INTERFACE_TRANSMIT_DROPS,
}
"""The kernel's names for them."""


def of_table(table: Table, backend: Backend, *, now: float) -> Iterator[Sample]:
    """What WireGuard says of the interface. `now` is UNIX time in seconds."""
    labels = (table.interface,)
    seen = sorted(filter(None, map(int, table.handshakes)))

    def younger(limit: float) -> int:
        # The clock may have been set back since: such a handshake counts as fresh, for it did happen.
        return len(seen) - bisect_right(seen, now - limit)

    info = (*labels, table.public_key or "", str(table.listen_port), str(backend))
    yield Sample(metrics.INTERFACE_INFO, info, 1)
    yield Sample(metrics.INTERFACE_PEERS, labels, len(table.handshakes))
    yield Sample(metrics.INTERFACE_ACTIVE_PEERS, labels, younger(ACTIVE_SECONDS))
    yield Sample(metrics.INTERFACE_NEVER_SEEN_PEERS, labels, len(table.handshakes) - len(seen))
    if seen:
        yield Sample(metrics.INTERFACE_LAST_HANDSHAKE, labels, seen[-1])
    for written, limit in AGES_SECONDS.items():
        yield Sample(metrics.INTERFACE_HANDSHAKE_AGE_PEERS, (*labels, written), younger(limit))


def of_netdev(interface: str, netdev: Netdev | None) -> Iterator[Sample]:
    """What the kernel says of the network device; None if there is none of that name."""
    labels = (interface,)
    yield Sample(metrics.INTERFACE_UP, labels, netdev is not None and netdev.up)
    if netdev is not None:
        yield Sample(metrics.INTERFACE_MTU, labels, netdev.mtu)
        for name, family in NETDEV_COUNTERS.items():
            yield Sample(family, labels, netdev.counters[name])
