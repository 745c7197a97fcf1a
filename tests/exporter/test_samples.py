"""Tests of exporter/samples.py."""

import pytest

from exporter import metrics
from exporter.metrics import Family
from exporter.netdev import Backend, Netdev
from exporter.samples import NETDEV_COUNTERS, of_netdev, of_table
from wgfleet.dump import Table

NOW = 1_795_362_680.0


def table(*seen: int | None) -> Table:
    """An interface with a peer for each: seconds since its latest handshake, or None if there was none."""
    return Table(
        "wg0",
        "own",
        51820,
        None,
        handshakes=[b"0" if ago is None else b"%d" % (int(NOW) - ago) for ago in seen],
    )


def values(has: Table, family: Family) -> dict[tuple[str, ...], float]:
    """What is said under this name, by labels."""
    samples = of_table(has, Backend.KERNEL, now=NOW)
    return {sample.labels: sample.value for sample in samples if sample.family is family}


@pytest.mark.parametrize(
    ("seconds_ago", "younger_than"),
    [
        (-86_400, ["30", "120", "180", "600", "3600", "+Inf"]),  # The clock was set back.
        (0, ["30", "120", "180", "600", "3600", "+Inf"]),
        (29, ["30", "120", "180", "600", "3600", "+Inf"]),
        (30, ["120", "180", "600", "3600", "+Inf"]),
        (120, ["180", "600", "3600", "+Inf"]),
        (179, ["180", "600", "3600", "+Inf"]),
        (180, ["600", "3600", "+Inf"]),
        (600, ["3600", "+Inf"]),
        (3600, ["+Inf"]),
        (10**9, ["+Inf"]),
    ],
)
def test_a_peer_counts_as_younger_than_each_age_that_it_has_not_reached(
    seconds_ago: int, younger_than: list[str]
) -> None:
    """The counts are cumulative, and `active` is the count below 180 s."""
    has = table(seconds_ago)

    ages = values(has, metrics.INTERFACE_HANDSHAKE_AGE_PEERS)

    assert [age for (_, age), peers in ages.items() if peers == 1] == younger_than
    assert values(has, metrics.INTERFACE_ACTIVE_PEERS) == {("wg0",): float("180" in younger_than)}


def test_a_peer_that_was_never_seen_is_in_no_age() -> None:
    """It is counted as never seen, and does not read as seen in 1970 or just now."""
    has = table(10, None)

    assert values(has, metrics.INTERFACE_PEERS) == {("wg0",): 2}
    assert values(has, metrics.INTERFACE_NEVER_SEEN_PEERS) == {("wg0",): 1}
    assert values(has, metrics.INTERFACE_ACTIVE_PEERS) == {("wg0",): 1}
    assert values(has, metrics.INTERFACE_HANDSHAKE_AGE_PEERS)["wg0", "+Inf"] == 1


def test_the_newest_handshake_is_the_interfaces() -> None:
    """Whichever peer had it."""
    has = table(100, 10, 50)

    assert values(has, metrics.INTERFACE_LAST_HANDSHAKE) == {("wg0",): NOW - 10}


@pytest.mark.parametrize("has", [table(), table(None)], ids=["no peers", "one that was never seen"])
def test_without_handshakes_there_is_no_newest_one(has: Table) -> None:
    """A 0 would be 1970."""
    assert values(has, metrics.INTERFACE_LAST_HANDSHAKE) == {}


def test_an_interface_without_a_key_has_an_empty_one() -> None:
    """Which to Prometheus is a label that is not there."""
    has = Table("wg0", None, 47184, None)

    assert values(has, metrics.INTERFACE_INFO) == {("wg0", "", "47184", "kernel"): 1}


def test_every_counter_of_the_netdev_has_its_metric() -> None:
    """Each under its own name; the interface's traffic is not the sum of its peers'."""
    counters = {name: number for number, name in enumerate(NETDEV_COUNTERS)}

    samples = list(of_netdev("wg0", Netdev(up=True, mtu=1420, counters=counters)))

    expected = {metrics.INTERFACE_UP: 1, metrics.INTERFACE_MTU: 1420} | {
        NETDEV_COUNTERS[name]: number for name, number in counters.items()
    }
    assert {sample.family: sample.value for sample in samples} == expected
    assert {sample.labels for sample in samples} == {("wg0",)}


def test_a_netdev_that_is_gone_is_not_up() -> None:
    """And nothing else is said of it: its counters are not 0."""
    (sample,) = of_netdev("wg0", None)

    assert sample == (metrics.INTERFACE_UP, ("wg0",), 0)
