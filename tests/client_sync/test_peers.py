"""Tests of client_sync/peers.py: the peers that an interface should have."""

from collections.abc import Collection

import pytest

from client_sync.peers import holder, wanted_peers
from tests.client_sync.samples import ALL, public_key, worker
from wgfleet.diff import WantedPeer
from wgfleet.peerset import PublishedWorker, WorkerState

HERE = {"w1": "192.0.2.1:51820", "w2": "192.0.2.2:51820"}


def wanted(
    *workers: PublishedWorker, active: str | None = "w1", others: Collection[str] = ()
) -> tuple[WantedPeer, ...]:
    """The peers for these workers."""
    return wanted_peers(workers, active, endpoints=HERE, others=others)


def test_only_the_active_worker_holds_the_routed_prefixes() -> None:
    """A standby holds its tunnel addresses, so that it can be probed, and a keepalive."""
    expected = (
        WantedPeer(public_key(1), "192.0.2.1:51820", ("10.99.0.1/32", ALL), 25),
        WantedPeer(public_key(2), "192.0.2.2:51820", ("10.99.0.2/32",), 25),
    )

    assert wanted(worker(1), worker(2)) == expected


@pytest.mark.parametrize("active", [None, "w9"])
def test_with_nobody_active_all_are_standbys(active: str | None) -> None:
    """Nobody carries anything."""
    assert [peer.allowed_ips for peer in wanted(worker(1), worker(2), active=active)] == [
        ("10.99.0.1/32",),
        ("10.99.0.2/32",),
    ]


def test_tunnel_addresses_of_both_families_become_host_prefixes() -> None:
    """/32 and /128, as `wg` shows them."""
    (peer,) = wanted(worker(2, tunnel_addresses=("10.99.0.2", "fd00::2")))

    assert peer.allowed_ips == ("10.99.0.2/32", "fd00::2/128")


def test_a_prefix_is_named_once() -> None:
    """A worker that routes to itself only has one prefix, not the same twice."""
    (peer,) = wanted(worker(1, allowed_ips=("10.99.0.1/32", "10.0.0.0/8")))

    assert peer.allowed_ips == ("10.99.0.1/32", "10.0.0.0/8")


def test_an_endpoint_that_is_not_known_stays_as_it_is() -> None:
    """No address for a name: the peer keeps what the device has."""
    (peer,) = wanted_peers([worker(1)], "w1", endpoints={"w1": None}, others=())

    assert peer.endpoint is None


@pytest.mark.parametrize("active", ["w1", None])
def test_a_banned_worker_is_no_peer(active: str | None) -> None:
    """Ours is so removed, and one that never was is not added."""
    assert wanted(worker(1, WorkerState.BANNED), active=active) == ()


@pytest.mark.parametrize("active", ["w1", None])
def test_somebody_elses_peer_of_a_banned_worker_carries_nothing(active: str | None) -> None:
    """It is not ours to remove, but no packet goes there: no prefix, no keepalive; its endpoint is left alone."""
    peers = wanted(worker(1, WorkerState.BANNED), active=active, others={public_key(1)})

    assert peers == (WantedPeer(public_key(1), None, (), None),)


@pytest.mark.parametrize("state", [state for state in WorkerState if state is not WorkerState.BANNED])
def test_every_other_state_is_kept_warm(state: WorkerState) -> None:
    """Down and draining workers too: they are what is left when the others die."""
    assert wanted(worker(1, state)) == wanted(worker(1))


def test_the_holder_is_the_worker_that_holds_all_of_its_routed_prefixes() -> None:
    """Tunnel addresses beside them make no difference."""
    held = {public_key(1): ["10.99.0.1/32"], public_key(2): ["10.99.0.2/32", ALL, "::/0"]}
    workers = [worker(number, allowed_ips=(ALL, "::/0")) for number in (1, 2)]

    assert holder(workers, held) == "w2"


@pytest.mark.parametrize(
    "held",
    [
        {},
        {public_key(1): ["10.99.0.1/32"]},
        {public_key(1): [ALL], public_key(2): ["::/0"]},
        {public_key(9): [ALL, "::/0"]},
    ],
)
def test_nobody_holds_the_traffic_if_no_worker_holds_all_of_it(held: dict[str, list[str]]) -> None:
    """No peers at all, standbys only, a traffic that is torn apart, a stranger."""
    assert holder([worker(number, allowed_ips=(ALL, "::/0")) for number in (1, 2)], held) is None


def test_a_worker_without_routed_prefixes_holds_nothing() -> None:
    """It cannot be told from a standby."""
    assert holder([worker(1, allowed_ips=())], {public_key(1): ["10.99.0.1/32"]}) is None
