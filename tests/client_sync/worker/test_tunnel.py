"""Tests of client_sync/worker/tunnel.py, on an interface in memory: what is ours, and what is seen when."""

import dataclasses
import logging
from concurrent.futures import Future
from pathlib import Path

import pytest

from client_sync.cache import ManagedPeers
from client_sync.worker.tunnel import SAID, Tunnel
from tests.client_sync.samples import public_key
from tests.client_sync.worker.samples import MONITORING, FakeInterface, client, client_list, many, peer
from wgfleet.diff import Kind
from wgfleet.wg import WgError


def tunnel(fake: FakeInterface, directory: Path) -> Tunnel:
    """One run of the daemon's."""
    return Tunnel("wg0", ManagedPeers(directory), fake.door)


def there(*keys: str) -> "Future[frozenset[str]]":
    """What the interface was asked for, answered."""
    answered: Future[frozenset[str]] = Future()
    answered.set_result(frozenset(keys))
    return answered


def kept(directory: Path) -> set[str]:
    """Which peers the next run will take for ours."""
    return set(ManagedPeers(directory).keys)


def test_a_peer_is_noted_as_ours_before_it_is_added(tmp_path: Path) -> None:
    """If we die in between we remove too little, and never too much."""
    fake, noted = FakeInterface(), []
    fake.on_set = lambda: noted.append(kept(tmp_path))

    tunnel(fake, tmp_path).bring_up_to_date(client_list(client(1)), removing=True)

    assert noted == [{public_key(1)}]


def test_a_clients_peer_that_others_added_is_not_ours(tmp_path: Path) -> None:
    """When its client leaves the list without being revoked, it stays."""
    fake = FakeInterface()
    fake.add(peer(1), MONITORING)
    one = tunnel(fake, tmp_path)
    one.bring_up_to_date(client_list(client(1)), removing=True)

    one.bring_up_to_date(client_list(generation=2), removing=True)

    assert fake.calls == []
    assert (one.standing.ours, one.standing.others) == (0, 2)


def test_the_next_run_knows_what_this_one_added(tmp_path: Path) -> None:
    """It may remove it."""
    fake = FakeInterface()
    tunnel(fake, tmp_path).bring_up_to_date(client_list(client(1)), removing=True)

    tunnel(fake, tmp_path).bring_up_to_date(client_list(generation=2), removing=True)

    assert fake.keys == set()
    assert kept(tmp_path) == set()


def test_a_list_after_another_is_one_change(tmp_path: Path) -> None:
    """And the interface is not read for it."""
    fake = FakeInterface()
    one = tunnel(fake, tmp_path)
    first = many(3)
    one.bring_up_to_date(first, removing=True)
    fake.calls.clear()

    one.follow(first, many(4, generation=2), there(*fake.keys))

    assert fake.kinds == [Kind.ADD]
    assert one.standing.ours == 4


def test_one_that_others_added_since_the_last_look_is_not_ours(tmp_path: Path) -> None:
    """An operator adds a peer by hand, and registers it a moment later."""
    fake = FakeInterface()
    one = tunnel(fake, tmp_path)
    first, second = many(1), many(2, generation=2)
    one.bring_up_to_date(first, removing=True)
    fake.add(dataclasses.replace(peer(2), persistent_keepalive=7))

    one.follow(first, second, there(*fake.keys))
    one.bring_up_to_date(many(1, generation=3), removing=True)

    assert public_key(2) in fake.keys
    assert kept(tmp_path) == {public_key(1)}


def test_what_others_took_away_since_is_added_again_at_the_next_look(tmp_path: Path) -> None:
    """Though the interface is then as it was when we first read it."""
    fake = FakeInterface()
    one = tunnel(fake, tmp_path)
    empty = fake.device
    one.bring_up_to_date(many(2), removing=True)
    fake.device = empty

    one.bring_up_to_date(many(2), removing=True)

    assert fake.keys == {public_key(1), public_key(2)}


def test_an_address_that_moves_between_clients_is_known_to_have_moved(tmp_path: Path) -> None:
    """The next list that gives it back is carried out, too."""
    fake = FakeInterface()
    one = tunnel(fake, tmp_path)
    lists = [
        client_list(client(1, "192.168.7.0/24"), client(2)),
        client_list(client(1), client(2, "192.168.7.0/24"), generation=2),
        client_list(client(1, "192.168.7.0/24"), client(2), generation=3),
    ]
    one.bring_up_to_date(lists[0], removing=True)

    one.follow(lists[0], lists[1], there(*fake.keys))
    one.follow(lists[1], lists[2], there(*fake.keys))

    assert {key: set(ips) for key, ips in ((p.public_key, p.allowed_ips) for p in fake.device.peers)} == {
        public_key(1): {"10.99.1.1/32", "192.168.7.0/24"},
        public_key(2): {"10.99.1.2/32"},
    }


def test_what_was_withheld_is_given_as_soon_as_it_is_free(tmp_path: Path) -> None:
    """Others' peer becomes that of a client who has another address."""
    fake = FakeInterface()
    fake.add(dataclasses.replace(peer(2), allowed_ips=("10.99.1.1/32",)))
    one = tunnel(fake, tmp_path)
    first = many(1)
    one.bring_up_to_date(first, removing=True)

    one.follow(first, many(2, generation=2), there(*fake.keys))

    assert {(p.public_key, p.allowed_ips) for p in fake.device.peers} == {
        (public_key(1), ("10.99.1.1/32",)),
        (public_key(2), ("10.99.1.2/32",)),
    }


def test_after_a_change_that_failed_everything_is_looked_at(tmp_path: Path) -> None:
    """Half of it may have been done."""
    fake = FakeInterface()
    one = tunnel(fake, tmp_path)
    first, second = many(1), many(2, generation=2)
    one.bring_up_to_date(first, removing=True)
    fake.broken = "gone"
    with pytest.raises(WgError):
        one.follow(first, second, there())
    fake.broken = ""
    fake.device = dataclasses.replace(fake.device, peers=())

    one.follow(second, many(3, generation=3), there())

    assert fake.keys == {public_key(number) for number in (1, 2, 3)}


def test_a_prefix_that_is_withheld_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """However often the interface is looked at; the status has it all the time."""
    fake = FakeInterface()
    fake.add(MONITORING)
    one = tunnel(fake, tmp_path)
    clients = client_list(client(1, *MONITORING.allowed_ips))

    for _ in range(3):
        one.bring_up_to_date(clients, removing=True)

    said = [record for record in caplog.records if record.getMessage() == "not given to a client"]
    assert len(said) == 1
    assert [str(held) for held in one.standing.withheld] == [
        f"10.99.0.250/32 of client c1 stays with peer {MONITORING.public_key}, which others added"
    ]


def test_a_revoked_peer_of_others_is_told_for_as_long_as_it_is_there(tmp_path: Path) -> None:
    """It should be taken out of the interface's configuration."""
    fake = FakeInterface()
    fake.add(peer(1))
    one = tunnel(fake, tmp_path)

    for _ in range(2):
        one.bring_up_to_date(client_list(revoked=[1]), removing=True)
    told = one.standing.cut
    fake.device = dataclasses.replace(fake.device, peers=())
    one.bring_up_to_date(client_list(revoked=[1]), removing=True)

    assert told == {public_key(1)}
    assert one.standing.cut == frozenset()


@pytest.mark.parametrize(("clients", "lines"), [(SAID, SAID), (SAID + 1, SAID + 1)])
def test_of_many_changes_some_are_logged_and_then_how_many(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, clients: int, lines: int
) -> None:
    """Ten thousand clients are not ten thousand lines."""
    caplog.set_level(logging.INFO)

    tunnel(FakeInterface(), tmp_path).bring_up_to_date(many(clients), removing=True)

    assert len([record for record in caplog.records if record.getMessage() == "changed"]) == lines


@pytest.mark.parametrize("whole", [True, False])
def test_a_disk_that_takes_nothing_keeps_nobody_who_was_revoked(tmp_path: Path, *, whole: bool) -> None:
    """Though the same list has a new client, who cannot be noted; he is added once he can be."""
    fake = FakeInterface()
    one = tunnel(fake, tmp_path)
    before, after = many(2), client_list(client(1), client(3), generation=2, revoked=[2])
    one.bring_up_to_date(before, removing=True)
    note = tmp_path / "managed-peers.json"
    note.unlink()
    note.mkdir()  # No file can be put in the place of a folder.

    def apply() -> None:
        if whole:
            one.bring_up_to_date(after, removing=True)
        else:
            one.follow(before, after, there())

    with pytest.raises(OSError, match=r"managed-peers\.json"):
        apply()
    assert fake.keys == {public_key(1)}

    note.rmdir()
    one.bring_up_to_date(after, removing=True)
    assert fake.keys == {public_key(1), public_key(3)} <= kept(tmp_path)
