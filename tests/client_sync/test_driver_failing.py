"""Tests of client_sync/driver.py: what the device, the disk or a document fails in is said, and made good later."""

from pathlib import Path

import pytest

from client_sync.cache import ManagedPeers
from tests.client_sync.samples import peer_set, public_key, worker
from tests.client_sync.scene import TWO, Played, Scene, said
from wgfleet.peerset import WorkerState


@pytest.mark.usefixtures("soon")
def test_a_document_that_wg_refuses_is_applied_later(
    played: Played, caplog: pytest.LogCaptureFixture
) -> None:
    """The error is said; what is missing on the device is then added."""

    async def story(scene: Scene) -> None:
        scene.receive(TWO)
        await scene.until_carried_by(1)
        scene.fake.broken = "no buffer space"
        scene.receive(peer_set(worker(1), worker(2), worker(3), generation=2))
        scene.fake.broken = ""
        await scene.until(lambda: public_key(3) in scene.fake.keys)
        assert scene.carrier == public_key(1)

    played(story)
    assert [str(facts["error"]) for facts in said(caplog, "not applied")] == ["no buffer space"]


@pytest.mark.usefixtures("soon")
def test_a_move_that_wg_refuses_is_made_later(played: Played) -> None:
    """The device says who carries the traffic, not what was wished: the move is decided again, and made."""

    async def story(scene: Scene) -> None:
        scene.receive(TWO)
        await scene.until_carried_by(1)
        scene.fake.broken = "no buffer space"
        scene.receive(peer_set(worker(1, WorkerState.DOWN), worker(2), generation=2))
        assert scene.carrier == public_key(1)
        scene.fake.broken = ""
        await scene.until_carried_by(2)

    played(story)


@pytest.mark.usefixtures("soon")
def test_routes_that_cannot_be_set_are_said_and_set_later(
    played: Played, caplog: pytest.LogCaptureFixture
) -> None:
    """The peers are there meanwhile."""

    async def story(scene: Scene) -> None:
        scene.fake.broken_routes = "no firewall mark"
        scene.receive(TWO)
        assert scene.fake.keys == {public_key(1), public_key(2)}
        scene.fake.broken_routes = ""
        await scene.until(lambda: bool(scene.fake.routes))

    played(story)
    assert {str(facts["error"]) for facts in said(caplog, "not applied")} == {"no firewall mark"}


@pytest.mark.usefixtures("soon")
def test_a_note_of_our_peers_that_cannot_be_written_is_said_and_written_later(
    played: Played, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The disk is full: no peer is added that would not be known as ours, and the daemon lives on."""
    directory = tmp_path / "later"

    async def story(scene: Scene) -> None:
        scene.receive(TWO)
        assert scene.fake.keys == set()
        directory.mkdir()
        await scene.until_carried_by(1)
        assert ManagedPeers(directory).keys == {public_key(1), public_key(2)}

    played(story, directory=directory)
    assert said(caplog, "not applied")


def test_a_worker_without_a_tunnel_address_is_silent(played: Played) -> None:
    """It cannot be asked: another one is used, and nothing breaks."""

    async def story(scene: Scene) -> None:
        scene.receive(peer_set(worker(1, tunnel_addresses=()), worker(2)))
        await scene.until_carried_by(2)
        assert scene.driver.state.liveness["w1"].misses > 0

    played(story)
