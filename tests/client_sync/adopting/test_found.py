"""Tests of client_sync/adopting/found.py: whose peers they are, what overlaps, whether a full tunnel is one."""

from typing import Any

import pytest

from client_sync.adopting.found import Overlap, Tunnel, found
from tests.client_sync.device import peer
from tests.client_sync.samples import ALL, public_key, worker
from wgfleet.device import Device, Peer

MARK = 51820
LED: list[dict[str, Any]] = [
    {"priority": 32764, "src": "all", "table": "main", "suppress_prefixlen": 0},
    {"priority": 32765, "not": None, "src": "all", "fwmark": "0xca6c", "table": "51820"},
]
PLAIN: list[dict[str, Any]] = [{"priority": 32766, "src": "all", "table": "main"}]


def device(*peers: Peer, mark: int | None = MARK) -> Device:
    """An interface with these peers."""
    return Device("wg0", public_key(100), 51820, mark, peers)


def test_peers_that_are_workers_are_known_by_their_keys() -> None:
    """All others are somebody's."""
    there = found(device(peer(public_key(1)), peer(public_key(9))), [], [worker(1)], {})

    assert [known.worker for known in there.peers] == ["w1", None]


def test_networks_of_others_that_the_fleet_routes_are_overlaps() -> None:
    """The same, and a smaller one within; not what lies beside, nor what a worker has."""
    stranger = peer(public_key(9), "10.0.0.0/8", "10.5.0.0/16", "172.16.0.0/12", "fd00::/8")
    mine = peer(public_key(1), "10.0.0.0/8")

    there = found(device(stranger, mine), [], [worker(1, allowed_ips=("10.0.0.0/8",))], {})

    assert there.overlaps == (
        Overlap(public_key(9), "10.0.0.0/8", "10.0.0.0/8"),
        Overlap(public_key(9), "10.5.0.0/16", "10.0.0.0/8"),
    )


def test_without_a_default_route_it_carries_some_networks() -> None:
    """And needs no rule."""
    there = found(device(peer(public_key(1), "10.0.0.0/8"), mark=None), [], [], {4: PLAIN})

    assert (there.tunnel, there.missing) == (Tunnel.PARTIAL, ())


def test_a_full_tunnel_as_wg_quick_makes_it_lacks_nothing() -> None:
    """The mark, the rule that goes by it, the rule that spares what is on-link; of the family that is carried."""
    there = found(device(peer(public_key(1), ALL)), [], [], {4: LED, 6: PLAIN})

    assert (there.tunnel, there.missing) == (Tunnel.FULL, ())


@pytest.mark.parametrize(
    ("rules", "missing"),
    [
        (
            PLAIN,
            (
                "`ip -4 rule add not fwmark 51820 table 51820`",
                "`ip -4 rule add table main suppress_prefixlength 0`",
            ),
        ),
        (LED[:1], ("`ip -4 rule add not fwmark 51820 table 51820`",)),
        (LED[1:], ("`ip -4 rule add table main suppress_prefixlength 0`",)),
    ],
)
def test_what_a_full_tunnel_lacks_is_said_with_what_mends_it(
    rules: list[dict[str, Any]], missing: tuple[str, ...]
) -> None:
    """As the daemon would refuse to route into it."""
    there = found(device(peer(public_key(1), ALL)), [], [], {4: rules})

    assert (there.tunnel, there.missing) == (Tunnel.UNLED, missing)


def test_a_full_tunnel_that_the_fleet_wants_counts_before_it_is_one() -> None:
    """A worker carries everything, and the interface has no mark yet."""
    there = found(device(mark=None), [], [worker(1)], {4: PLAIN})

    assert there.tunnel is Tunnel.UNLED
    assert there.missing[0].startswith("a firewall mark")
