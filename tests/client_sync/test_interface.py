"""Tests of client_sync/interface.py, on an interface in memory that follows WireGuard's rules."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client_sync.cache import ManagedPeers
from client_sync.tunnels.programs import LayoutError
from tests.client_sync.device import MARK, FakeDevice, interface, named, peer
from tests.client_sync.samples import ALL, public_key, worker
from tests.wgfleet.model import owners
from wgfleet.device import Device
from wgfleet.diff import Kind, PeerChange
from wgfleet.peerset import PublishedWorker, WorkerState
from wgfleet.wg import WgError

STRANGER = public_key(999)
HERE, THERE = "192.0.2.1:51820", "198.51.100.1:51820"
TWO = named(worker(1), worker(2))


def test_a_bare_interface_is_given_all_workers_in_one_call() -> None:
    """The active one with the routed prefixes, the others as standbys."""
    fake = FakeDevice()

    interface(fake).configure(TWO, "w1")

    assert fake.calls == [
        (
            PeerChange(Kind.ADD, public_key(1), "192.0.2.1:51820", ("10.99.0.1/32", ALL), 25),
            PeerChange(Kind.ADD, public_key(2), "192.0.2.2:51820", ("10.99.0.2/32",), 25),
        )
    ]


def test_a_move_is_one_call_that_names_the_new_worker_only() -> None:
    """The old one loses the prefixes by the new one's gain."""
    fake = FakeDevice()
    wg0 = interface(fake)
    wg0.configure(TWO, "w1")
    fake.calls.clear()

    wg0.configure(TWO, "w2")

    assert fake.calls == [(PeerChange(Kind.UPDATE, public_key(2), allowed_ips=("10.99.0.2/32", ALL)),)]
    assert wg0.holder(TWO) == "w2"


def test_a_device_that_is_as_it_should_be_is_not_touched() -> None:
    """The same document again changes nothing."""
    fake = FakeDevice()
    wg0 = interface(fake)
    wg0.configure(TWO, "w1")
    fake.calls.clear()

    wg0.configure(TWO, "w1")

    assert fake.calls == []


def test_the_active_worker_that_is_removed_hands_over_without_a_gap() -> None:
    """It goes in the same call, after the new one has its prefixes: they never rest on nobody."""
    fake = FakeDevice()
    wg0 = interface(fake)
    wg0.configure(TWO, "w1")
    fake.calls.clear()
    fake.carriers.clear()

    wg0.configure(named(worker(2)), "w2")

    assert len(fake.calls) == 1
    assert [carried[ALL] for carried in fake.carriers] == [public_key(2), public_key(2)]
    assert fake.keys == {public_key(2)}


def test_a_peer_that_others_added_is_left_alone() -> None:
    """Whatever is configured: its endpoint, its prefixes and its keepalive stay."""
    stranger = peer(STRANGER, "10.5.0.0/16", endpoint=THERE)
    fake = FakeDevice()
    fake.add(stranger)
    wg0 = interface(fake)

    for workers in (TWO, named(worker(2)), {}):
        wg0.configure(workers, None)

    assert fake.peer(STRANGER) == stranger
    assert fake.keys == {STRANGER}


def test_a_worker_that_others_added_is_used_but_never_removed() -> None:
    """A peer that was there before us is brought up to date, and is still there when the worker is gone."""
    fake = FakeDevice()
    fake.add(peer(public_key(1), endpoint=THERE))
    wg0 = interface(fake)
    wg0.configure(TWO, "w1")
    assert fake.peer(public_key(1)).allowed_ips == ("10.99.0.1/32", ALL)

    wg0.configure(named(worker(2)), "w2")

    assert fake.keys == {public_key(1), public_key(2)}
    assert fake.peer(public_key(1)).allowed_ips == ("10.99.0.1/32",)


def test_what_is_added_is_ours_and_what_is_removed_is_no_longer(tmp_path: Path) -> None:
    """It is so on disk, for the next run."""
    fake = FakeDevice()
    wg0 = interface(fake, ManagedPeers(tmp_path))

    wg0.configure(TWO, "w1")
    assert ManagedPeers(tmp_path).keys == {public_key(1), public_key(2)}

    wg0.configure(named(worker(2)), "w2")
    assert ManagedPeers(tmp_path).keys == {public_key(2)}


def test_a_peer_of_a_former_run_is_removed_with_its_worker(tmp_path: Path) -> None:
    """The daemon was away when the worker left the fleet."""
    fake = FakeDevice()
    interface(fake, ManagedPeers(tmp_path)).configure(TWO, "w2")

    interface(fake, ManagedPeers(tmp_path)).configure(named(worker(2)), "w2")

    assert fake.keys == {public_key(2)}


def test_a_peer_is_noted_as_ours_before_it_is_added(tmp_path: Path) -> None:
    """The daemon dies between the two: the next run may remove it, because it knows that it is its own."""
    fake = FakeDevice()

    def set_and_die(name: str, changes: tuple[PeerChange, ...]) -> None:
        fake.set_peers(name, changes)
        raise KeyboardInterrupt

    dying = replace(fake.door, set_peers=set_and_die)
    with pytest.raises(KeyboardInterrupt):
        interface(fake, ManagedPeers(tmp_path), door=dying).configure(TWO, "w1")

    interface(fake, ManagedPeers(tmp_path)).configure({}, None)

    assert fake.keys == set()


def test_a_peer_stays_ours_until_it_is_removed(tmp_path: Path) -> None:
    """The daemon dies before `wg` did anything: the next run still removes it."""
    fake = FakeDevice()
    interface(fake, ManagedPeers(tmp_path)).configure(TWO, "w1")
    fake.broken = "killed"
    dying = replace(fake.door, read=lambda _name: fake.device)
    with pytest.raises(WgError):
        interface(fake, ManagedPeers(tmp_path), door=dying).configure(named(worker(2)), "w2")
    fake.broken = ""

    interface(fake, ManagedPeers(tmp_path)).configure(named(worker(2)), "w2")

    assert fake.keys == {public_key(2)}


def test_a_banned_worker_of_ours_is_removed() -> None:
    """No packet can go there any more."""
    fake = FakeDevice()
    wg0 = interface(fake)
    wg0.configure(TWO, "w2")

    wg0.configure(named(worker(1, WorkerState.BANNED), worker(2)), "w2")

    assert fake.keys == {public_key(2)}


def test_a_banned_worker_that_is_no_peer_does_not_become_one() -> None:
    """However often it is configured; nor does one that was removed come back."""
    fake = FakeDevice()
    wg0 = interface(fake)

    for _ in range(3):
        wg0.configure(named(worker(1, WorkerState.BANNED), worker(2)), "w2")

    assert fake.keys == {public_key(2)}
    assert len(fake.calls) == 1


def test_a_banned_worker_that_others_added_carries_nothing() -> None:
    """It is not ours to remove, but it is emptied."""
    fake = FakeDevice()
    fake.add(peer(public_key(1), ALL, endpoint=THERE))

    interface(fake).configure(named(worker(1, WorkerState.BANNED), worker(2)), None)

    assert fake.peer(public_key(1)) == replace(peer(public_key(1), endpoint=THERE), persistent_keepalive=None)


def test_the_mark_is_that_of_the_last_reading() -> None:
    """Whoever needs it later has it, and an interface may be given another."""
    fake = FakeDevice()
    wg0 = interface(fake)
    assert wg0.mark is None

    wg0.read()
    assert wg0.mark == MARK

    fake.device = replace(fake.device, firewall_mark=7)
    wg0.configure({}, None)
    assert wg0.mark == 7


# Routes.


def test_routes_are_set_for_all_routed_prefixes_of_all_workers() -> None:
    """Those of standbys too: a route is there before a move needs it. The mark goes along."""
    fake = FakeDevice()

    interface(fake).configure(named(worker(1), worker(2, allowed_ips=("10.0.0.0/8", ALL))), "w1")

    assert fake.routes == [(frozenset({ALL, "10.0.0.0/8"}), "wg0", MARK)]


def test_a_vantages_routes_lead_to_the_workers_themselves() -> None:
    """And not to what they lead to: its own traffic must not go through any of them."""
    fake = FakeDevice()

    interface(fake, is_vantage=True).configure(
        named(worker(1, tunnel_addresses=("10.99.0.1", "fd00::1")), worker(2)), None
    )

    assert fake.routes == [(frozenset({"10.99.0.1/32", "fd00::1/128", "10.99.0.2/32"}), "wg0", MARK)]


def test_routes_are_set_once_and_again_when_they_change() -> None:
    """A move costs no `ip`."""
    fake = FakeDevice()
    wg0 = interface(fake)
    wg0.configure(TWO, "w1")
    wg0.configure(TWO, "w2")
    assert len(fake.routes) == 1

    wg0.configure(named(worker(1, allowed_ips=("10.0.0.0/8",))), "w1")

    assert fake.routes[1:] == [(frozenset({"10.0.0.0/8"}), "wg0", MARK)]


def test_routes_that_could_not_be_set_are_set_the_next_time() -> None:
    """The peers are set before, and stay."""
    fake = FakeDevice(broken_routes="no such device")
    wg0 = interface(fake)
    with pytest.raises(LayoutError):
        wg0.configure(TWO, "w1")
    assert fake.keys == {public_key(1), public_key(2)}
    fake.broken_routes = ""

    wg0.configure(TWO, "w1")

    assert len(fake.routes) == 1


def test_routes_are_set_again_when_the_interface_was_gone() -> None:
    """A userspace WireGuard that dies takes its routes along."""
    fake = FakeDevice()
    wg0 = interface(fake)
    wg0.configure(TWO, "w1")
    fake.broken = "no such device"
    with pytest.raises(WgError):
        wg0.configure(TWO, "w1")
    fake.broken = ""
    fake.device = Device("wg0", "own", 51820, MARK, ())

    wg0.configure(TWO, "w1")

    assert len(fake.routes) == 2


def test_routes_are_left_to_the_operator_if_he_says_so() -> None:
    """manage_routes = false."""
    fake = FakeDevice()

    interface(fake, manage_routes=False).configure(TWO, "w1")

    assert fake.routes == []


def test_the_note_of_our_peers_is_written_only_when_it_changes(tmp_path: Path) -> None:
    """A failover waits for no disk."""
    wg0 = interface(FakeDevice(), ManagedPeers(tmp_path))
    wg0.configure(TWO, "w1")
    note = tmp_path / "managed-peers.json"
    assert {*json.loads(note.read_text())} == {public_key(1), public_key(2)}
    note.unlink()

    wg0.configure(TWO, "w2")

    assert not note.exists()


# Always.

STATES = st.sampled_from(list(WorkerState))
FLEETS = st.dictionaries(st.integers(1, 4), STATES).map(
    lambda chosen: named(*(worker(number, state) for number, state in chosen.items()))
)
STRANGERS = st.sets(st.sampled_from([STRANGER, *map(public_key, range(1, 5))]))


@settings(deadline=None)
@given(strangers=STRANGERS, fleets=st.lists(st.tuples(FLEETS, st.integers(0, 4)), max_size=6))
def test_whatever_is_configured_strangers_stay_and_the_active_one_carries(
    strangers: set[str], fleets: list[tuple[dict[str, PublishedWorker], int]]
) -> None:
    """After any documents: no peer of others is gone, no banned worker carries, one call each, and nothing is left to do."""
    fake = FakeDevice()
    fake.add(*(peer(key) for key in sorted(strangers)))
    wg0 = interface(fake)
    for workers, number in fleets:
        before = len(fake.calls)
        wg0.configure(workers, f"w{number}")

        carried = owners(fake.device)
        assert strangers <= fake.keys
        assert len(fake.calls) <= before + 1
        active = workers.get(f"w{number}")
        if active is not None and active.state is not WorkerState.BANNED:
            assert carried[ALL] == active.public_key
        else:
            assert carried.get(ALL) not in {one.public_key for one in workers.values()}
        banned = {one.public_key for one in workers.values() if one.state is WorkerState.BANNED}
        assert banned.isdisjoint(carried.values())
        assert banned.isdisjoint(fake.keys - strangers)
        again = len(fake.calls)
        wg0.configure(workers, f"w{number}")
        assert len(fake.calls) == again


def test_an_interface_that_came_up_again_gets_its_routes_and_peers_again() -> None:
    """Both are gone, though nothing was heard of it being away; one that was never configured is left alone."""
    fake = FakeDevice()
    wg0 = interface(fake)
    wg0.mend()
    assert fake.calls == []
    wg0.configure(TWO, "w2")
    (routed,) = fake.routes
    fake.device = replace(fake.device, peers=())

    wg0.mend()

    assert fake.routes == [routed, routed]
    assert wg0.holder(TWO) == "w2"
