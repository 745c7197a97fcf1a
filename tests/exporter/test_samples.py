"""Tests of exporter/samples.py."""

import dataclasses

import pytest

from exporter import metrics
from exporter.metrics import Family
from exporter.netdev import COUNTERS, Netdev
from exporter.samples import NETDEV_COUNTERS, of_device, of_netdev
from wgfleet.device import Device, Peer

NOW = 1_795_362_680.0

QUIET = Peer("key", None, (), None, 0, 0, None)


def device(*peers: Peer) -> Device:
    """An interface with these peers."""
    return Device("wg0", "own", 51820, None, peers)


def seen(seconds_ago: int, key: str = "key") -> Peer:
    """A peer with a handshake that long ago."""
    return dataclasses.replace(QUIET, public_key=key, latest_handshake=int(NOW) - seconds_ago)


def values(interface: Device, family: Family) -> dict[tuple[str, ...], float]:
    """What is said under this name, by labels."""
    samples = of_device(interface, now=NOW, with_peers=True)
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
    has = device(seen(seconds_ago))

    ages = values(has, metrics.INTERFACE_HANDSHAKE_AGE_PEERS)

    assert [age for (_, age), peers in ages.items() if peers == 1] == younger_than
    assert values(has, metrics.INTERFACE_ACTIVE_PEERS) == {("wg0",): float("180" in younger_than)}


def test_a_peer_that_was_never_seen_is_in_no_age() -> None:
    """It is counted as never seen, and does not read as seen in 1970 or just now."""
    has = device(seen(10), dataclasses.replace(QUIET, public_key="never"))

    assert values(has, metrics.INTERFACE_PEERS) == {("wg0",): 2}
    assert values(has, metrics.INTERFACE_NEVER_SEEN_PEERS) == {("wg0",): 1}
    assert values(has, metrics.INTERFACE_ACTIVE_PEERS) == {("wg0",): 1}
    assert values(has, metrics.INTERFACE_HANDSHAKE_AGE_PEERS)["wg0", "+Inf"] == 1
    assert values(has, metrics.PEER_LAST_HANDSHAKE) == {("wg0", "key"): NOW - 10}


def test_the_newest_handshake_is_the_interfaces() -> None:
    """Whichever peer had it."""
    has = device(seen(100, "a"), seen(10, "b"), seen(50, "c"))

    assert values(has, metrics.INTERFACE_LAST_HANDSHAKE) == {("wg0",): NOW - 10}


@pytest.mark.parametrize("has", [device(), device(QUIET)])
def test_without_handshakes_there_is_no_newest_one(has: Device) -> None:
    """A 0 would be 1970."""
    assert values(has, metrics.INTERFACE_LAST_HANDSHAKE) == {}


def test_a_keepalive_that_is_off_has_no_interval() -> None:
    """0 s would be all the time."""
    has = device(QUIET, dataclasses.replace(QUIET, public_key="kept", persistent_keepalive=25))

    assert values(has, metrics.PEER_KEEPALIVE) == {("wg0", "kept"): 25}


def test_an_interface_without_a_key_has_an_empty_one() -> None:
    """Which to Prometheus is a label that is not there."""
    has = Device("wg0", None, 47184, None, ())

    assert values(has, metrics.INTERFACE_INFO) == {("wg0", "", "47184"): 1}


def test_moving_endpoints_and_prefixes_make_no_new_series() -> None:
    """A failover moves them by the thousand."""
    before = device(dataclasses.replace(seen(10), endpoint="192.0.2.1:1", allowed_ips=("0.0.0.0/0",)))
    after = device(dataclasses.replace(seen(10), endpoint="[2001:db8::1]:2", allowed_ips=()))

    assert list(of_device(before, now=NOW, with_peers=True)) == list(
        of_device(after, now=NOW, with_peers=True)
    )


def test_peers_can_be_left_out() -> None:
    """Then the number of samples does not depend on the number of peers."""
    few, many = (
        len(list(of_device(device(*(seen(10, str(key)) for key in range(peers))), now=NOW, with_peers=False)))
        for peers in (1, 100)
    )

    assert few == many


def test_every_counter_of_the_netdev_has_its_metric() -> None:
    """Each under its own name; the interface's traffic is not the sum of its peers'."""
    counters = {name: number for number, name in enumerate(COUNTERS)}

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
