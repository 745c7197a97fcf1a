"""Tests of the daemon's layouts on a disk that takes nothing: what is new waits for it, and no move and no ban does."""

from pathlib import Path

import pytest

from client_sync.cache import ManagedPeers, RoutedNetworks
from client_sync.perworker.allotments import Allotments
from client_sync.tunnels.programs import LayoutError
from tests.client_sync.alone import NAME, Alone
from tests.client_sync.device import FakeDevice, interface, named
from tests.client_sync.perworker.kernel import Machine
from tests.client_sync.samples import ALL, peer_set, public_key, worker
from tests.client_sync.scene import TWO, Played, Scene, said
from wgfleet.peerset import WorkerState

BOTH = named(worker(1), worker(2))
ONE_MORE = named(worker(1, WorkerState.DOWN), worker(2), worker(3))
BANNED = named(worker(1, WorkerState.BANNED), worker(2))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """For the layout with an interface for each worker: without any."""
    return Machine(tmp_path)


def fill(file: Path) -> None:
    """From now on nothing can be written there: no file can be put in the place of a folder."""
    file.unlink(missing_ok=True)
    file.mkdir()


@pytest.mark.usefixtures("soon")
def test_a_worker_that_cannot_be_noted_holds_up_no_move(
    played: Played, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The peer set has one more worker and another is down: the traffic moves, and the new one is added later."""
    note = tmp_path / "managed-peers.json"

    async def story(scene: Scene) -> None:
        scene.receive(TWO)
        await scene.until_carried_by(1)
        fill(note)
        scene.receive(peer_set(*ONE_MORE.values(), generation=2))
        await scene.until_carried_by(2)
        assert public_key(3) not in scene.fake.keys
        note.rmdir()
        await scene.until(lambda: public_key(3) in scene.fake.keys)

    played(story)
    assert said(caplog, "not applied")


def test_nothing_is_taken_from_a_worker_for_one_that_cannot_be_noted(tmp_path: Path) -> None:
    """It is not there, so what it should carry stays where it is."""
    fake = FakeDevice()
    wg0 = interface(fake, ManagedPeers(tmp_path))
    wg0.configure(BOTH, "w1")
    fill(tmp_path / "managed-peers.json")
    moved = worker(1, tunnel_addresses=("10.99.7.1",))

    with pytest.raises(OSError, match=r"managed-peers\.json"):
        wg0.configure(named(moved, worker(2), worker(3)), "w3")

    assert fake.peer(public_key(1)).allowed_ips == ("10.99.7.1/32", ALL)


def test_a_ban_is_carried_out_where_the_routed_networks_cannot_be_noted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """On the interface that the daemon makes: a banned worker's address is not led there any more, which is a note."""
    machine = Alone(tmp_path)
    own = machine.own()
    own.configure(BOTH, "w1")
    note = tmp_path / "routed.json"
    fill(note)

    own.configure(BANNED, "w2")

    (left,) = machine.devices[NAME].peers
    assert (left.public_key, left.allowed_ips) == (public_key(2), ("10.99.0.2/32", ALL))
    assert said(caplog, "not noted")
    note.rmdir()
    own.configure(BANNED, "w2")
    assert RoutedNetworks(tmp_path).of == own.networks.of


def test_a_planned_move_does_not_wait_for_the_note_of_its_drain(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    """With an interface for each worker, since when a worker drains is kept for the next run."""
    layout = machine.layout()
    layout.configure(BOTH, "w1")
    note = machine.directory / "interfaces.json"
    fill(note)

    layout.configure(named(worker(1, WorkerState.DRAINING), worker(2)), "w2")

    assert (machine.way, list(layout.draining)) == ("wg-w2", ["w1"])
    assert said(caplog, "not noted")
    note.rmdir()
    layout.end_drains()
    assert Allotments(machine.directory).of["w1"].draining_since is not None


def test_an_interface_that_cannot_be_noted_is_not_made_and_holds_up_no_move(machine: Machine) -> None:
    """The next run would not know it for its own. It is made when the disk takes the note."""
    layout = machine.layout()
    layout.configure(BOTH, "w1")
    note = machine.directory / "interfaces.json"
    fill(note)

    with pytest.raises(LayoutError, match="w3"):
        layout.configure(ONE_MORE, "w2")
    layout.recreate(ONE_MORE["w3"])
    layout.mend()
    assert (machine.way, set(machine.devices)) == ("wg-w2", {"wg-w1", "wg-w2"})

    note.rmdir()
    layout.configure(ONE_MORE, "w2")
    assert set(machine.devices) == {"wg-w1", "wg-w2", "wg-w3"}
    assert Allotments(machine.directory).of["w3"].made
