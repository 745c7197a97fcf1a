"""Tests of client_sync/worker/shared.py: which clients are whose, and that neither interface keeps the other back."""

import dataclasses
from pathlib import Path

import pytest

from client_sync.cache import ManagedPeers
from client_sync.worker.shared import Division, TwoTunnels, around_both
from client_sync.worker.tunnel import Tunnel
from tests.client_sync.samples import public_key
from tests.client_sync.worker.samples import OWN, FakeInterface, client, client_list, peer
from wgfleet.clientlist import ClientList, ListedClient
from wgfleet.device import Device
from wgfleet.wg import WgError

DIVISION = ("10.98.0.0/16", "fd98::/64")
PHONE = ListedClient("phone", public_key(51), ("10.98.0.5/32", "192.168.9.0/24"))
TABLET = ListedClient("tablet", public_key(52), ("fd98::6/128",))


class Two:
    """Both interfaces in memory."""

    def __init__(self, directory: Path) -> None:
        self.wg0 = FakeInterface()
        self.wg1 = FakeInterface(Device("wg1", OWN, 51821, None, ()))
        (directory / "shared").mkdir()
        self.own = Tunnel("wg0", ManagedPeers(directory), self.wg0.door)
        self.shared = Tunnel("wg1", ManagedPeers(directory / "shared"), self.wg1.door)
        self.both = TwoTunnels(self.own, self.shared, Division(DIVISION))

    def follow(self, before: ClientList, after: ClientList) -> None:
        """As the driver does."""
        self.both.follow(before, after, self.both.ask())


def names(clients: ClientList) -> list[str]:
    """Who is in it."""
    return [one.name for one in clients.clients]


def test_clients_are_divided_by_their_addresses() -> None:
    """One network behind a device makes no difference; a list keeps its number and revocations."""
    clients = client_list(client(1), PHONE, TABLET, generation=7, revoked=[9])
    division = Division(DIVISION)

    own, shared = division.own(clients), division.shared(clients)

    assert (names(own), names(shared)) == (["c1"], ["phone", "tablet"])
    assert own.number == shared.number == (1, 7)
    assert own.revoked == shared.revoked == (public_key(9),)


def test_without_networks_all_are_the_own_interfaces() -> None:
    """As on a worker that shares nothing."""
    clients = client_list(client(1), PHONE)

    assert names(Division(()).own(clients)) == ["c1", "phone"]
    assert names(Division(()).shared(clients)) == []


def test_each_interface_has_its_own_clients_and_follows_changes(tmp_path: Path) -> None:
    """A device that is revoked leaves the shared one; others' peers stay there, too."""
    two = Two(tmp_path)
    two.wg1.add(peer(200))
    before = client_list(client(1), PHONE)
    two.both.bring_up_to_date(before, removing=True)
    assert (two.wg0.keys, two.wg1.keys) == ({public_key(1)}, {public_key(200), PHONE.public_key})

    two.follow(before, client_list(client(1), client(2), TABLET, generation=2, revoked=[51]))

    assert two.wg0.keys == {public_key(1), public_key(2)}
    assert two.wg1.keys == {public_key(200), TABLET.public_key}
    assert (two.both.standing.ours, two.both.standing.others) == (3, 1)


def test_a_device_that_gets_a_shared_address_changes_the_interface(tmp_path: Path) -> None:
    """It is a peer of one only: the way back to it is by its address."""
    two = Two(tmp_path)
    before = client_list(client(1), dataclasses.replace(PHONE, allowed_ips=("10.99.1.51/32",)))
    two.both.bring_up_to_date(before, removing=True)

    two.follow(before, client_list(client(1), PHONE, generation=2))

    assert (two.wg0.keys, two.wg1.keys) == ({public_key(1)}, {PHONE.public_key})


@pytest.mark.parametrize("broken", ["wg0", "wg1"])
def test_an_interface_that_is_gone_does_not_keep_the_other_back(tmp_path: Path, broken: str) -> None:
    """And it is said: the list does not count as applied."""
    two = Two(tmp_path)
    clients = client_list(client(1), PHONE)
    ({"wg0": two.wg0, "wg1": two.wg1}[broken]).broken = "gone"

    with pytest.raises(WgError, match="gone"):
        two.both.bring_up_to_date(clients, removing=True)
    with pytest.raises(WgError, match="gone"):
        two.follow(clients, dataclasses.replace(clients, generation=2))

    assert two.wg0.keys | two.wg1.keys == ({PHONE.public_key} if broken == "wg0" else {public_key(1)})


def test_both_interfaces_peers_stand_for_a_list_that_was_lost(tmp_path: Path) -> None:
    """An empty list would remove them all, and says how many."""
    two = Two(tmp_path)
    everyone = client_list(*map(client, range(1, 5)), PHONE, TABLET)
    two.both.bring_up_to_date(everyone, removing=True)

    refusal = two.both.refusal(None, client_list(generation=2))

    assert refusal is not None
    assert refusal.of == 6


def test_what_is_around_an_interface_that_fails_does_not_keep_the_others_back() -> None:
    """Each interface gets its own part of the list."""
    made: list[list[str]] = []

    def notes(clients: ClientList) -> None:
        made.append(names(clients))

    def fails(clients: ClientList) -> None:
        notes(clients)
        raise OSError("no route")

    with pytest.raises(OSError, match="no route"):
        around_both(fails, fails, notes, Division(DIVISION))(client_list(client(1), PHONE))

    assert made == [["c1"], ["phone"], ["c1", "phone"]]
