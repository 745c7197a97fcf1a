"""Tests of client_sync/worker/driver.py: which list is applied, kept, refused, and tried again."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from client_sync import cache
from client_sync.cache import ClientLists, ManagedPeers
from client_sync.tunnels.programs import LayoutError
from client_sync.worker.driver import Refused, Worker
from client_sync.worker.tunnel import Tunnel
from tests.client_sync.samples import FLEET, public_key
from tests.client_sync.worker.samples import (
    MONITORING,
    FakeInterface,
    client,
    client_list,
    many,
    peer,
    signed,
)
from wgfleet.clientlist import ClientList
from wgfleet.signing import Signer, Verifier

SIGNER = Signer.generate()


@dataclass
class Scene:
    """A worker's daemon; `again` is its next run."""

    directory: Path
    fake: FakeInterface = field(default_factory=FakeInterface)
    news: int = 0
    broken_around: str = ""
    told: Callable[[], object] = object

    def __post_init__(self) -> None:
        """Start the first run."""
        self.again()

    def again(self) -> None:
        """The daemon is started anew."""
        lists = ClientLists(self.directory, Verifier([SIGNER.public_text]), FLEET)
        tunnel = Tunnel("wg0", ManagedPeers(self.directory), self.fake.door)
        self.worker = Worker(lists, tunnel, around=self.around, changed=self.changed)

    def around(self, _clients: ClientList) -> None:
        """Routes, and what else there is."""
        if self.broken_around:
            raise LayoutError(self.broken_around)

    def changed(self) -> None:
        """There is something to tell."""
        self.news += 1
        self.told()

    async def document(self, clients: ClientList) -> None:
        """The receiver sends it."""
        await self.worker.document(signed(SIGNER, clients))


Story = Callable[[Scene], Awaitable[None]]


@pytest.fixture
def played(tmp_path: Path) -> Callable[[Story], Scene]:
    """Plays a story and returns what has become of it."""

    def play(story: Story) -> Scene:
        scene = Scene(tmp_path)

        async def run() -> None:
            await scene.worker.start()
            await story(scene)

        asyncio.run(run())
        return scene

    return play


Play = Callable[[Story], Scene]


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged as an error."""
    return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]


def test_a_list_is_applied_told_and_kept(played: Play, tmp_path: Path) -> None:
    """In this order."""

    async def story(scene: Scene) -> None:
        await scene.document(many(3))

    scene = played(story)
    assert scene.worker.applied == (1, 1)
    assert scene.fake.keys == {public_key(number) for number in (1, 2, 3)}
    assert scene.news > 0
    assert (tmp_path / "client-list.jws").read_bytes() == signed(SIGNER, many(3))


def test_a_list_is_kept_before_it_is_told(played: Play, tmp_path: Path) -> None:
    """A worker that said that a client is gone and then loses its power must not bring it back."""

    async def story(scene: Scene) -> None:
        await scene.document(many(2))
        kept: list[bool] = []
        wanted = client_list(client(1), generation=2, revoked=[2])
        file = tmp_path / "client-list.jws"
        scene.told = lambda: kept.append(file.read_bytes() == signed(SIGNER, wanted))
        await scene.document(wanted)
        assert kept
        assert all(kept)

    played(story)


def test_the_next_run_applies_it_without_the_receiver(played: Play) -> None:
    """After a reboot the interface has only what its own configuration gives it."""

    async def story(scene: Scene) -> None:
        await scene.document(many(3))
        scene.fake.device = FakeInterface().device
        scene.fake.add(MONITORING)
        scene.again()
        await scene.worker.start()

    scene = played(story)
    assert scene.worker.applied == (1, 1)
    assert scene.fake.keys == {MONITORING.public_key, *(public_key(number) for number in (1, 2, 3))}


def test_without_the_receiver_nobody_is_taken_away_and_with_it_who_is_no_client(played: Play) -> None:
    """A crash between applying a list and keeping it leaves peers that the kept one does not know."""

    async def story(scene: Scene) -> None:
        await scene.document(many(1))
        kept = (scene.directory / "client-list.jws").read_bytes()
        await scene.document(many(2, generation=2))
        (scene.directory / "client-list.jws").write_bytes(kept)
        scene.again()
        await scene.worker.start()
        await scene.worker.look()
        assert scene.fake.keys == {public_key(1), public_key(2)}
        await scene.document(many(1))

    assert played(story).fake.keys == {public_key(1)}


def test_a_list_that_was_emptied_is_refused_loudly_and_the_old_one_stays(
    played: Play, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """On the interface, on the disk, and in what is told."""

    async def story(scene: Scene) -> None:
        await scene.document(many(20))
        await scene.document(client_list(generation=2))

    scene = played(story)
    assert len(scene.fake.keys) == 20
    assert scene.worker.applied == (1, 1)
    assert scene.worker.refused is not None
    assert scene.worker.refused.number == (1, 2)
    assert events(caplog) == ["client list refused, the old one stays"]
    assert (tmp_path / "client-list.jws").read_bytes() == signed(SIGNER, many(20))


@pytest.mark.parametrize(
    "explained",
    [
        client_list(generation=3, confirmed=(1, 3)),
        client_list(generation=3, revoked=range(1, 21)),
        many(20, generation=3),
    ],
    ids=["confirmed", "revoked", "mended"],
)
def test_a_later_list_that_is_explained_is_applied(played: Play, explained: ClientList) -> None:
    """And nothing is refused any more."""

    async def story(scene: Scene) -> None:
        await scene.document(many(20))
        await scene.document(client_list(generation=2))
        await scene.document(explained)

    scene = played(story)
    assert scene.worker.applied == (1, 3)
    assert scene.worker.refused is None
    assert scene.fake.keys == {client.public_key for client in explained.clients}


def test_an_emptied_list_is_refused_after_a_restart_too(played: Play) -> None:
    """What is held comes from the disk."""

    async def story(scene: Scene) -> None:
        await scene.document(many(20))
        scene.again()
        await scene.worker.start()
        await scene.document(client_list(generation=2))

    scene = played(story)
    assert isinstance(scene.worker.refused, Refused)
    assert len(scene.fake.keys) == 20


def test_an_older_or_forged_list_changes_nothing(played: Play, caplog: pytest.LogCaptureFixture) -> None:
    """Nor does another kind of document."""

    async def story(scene: Scene) -> None:
        await scene.document(many(3, generation=2))
        await scene.document(many(2))
        await scene.worker.document(signed(Signer.generate(), many(2, generation=3)))

    scene = played(story)
    assert scene.worker.applied == (1, 2)
    assert events(caplog) == ["document refused", "document refused"]


def test_what_could_not_be_applied_is_said_once_and_applied_at_a_later_look(
    played: Play, caplog: pytest.LogCaptureFixture
) -> None:
    """Meanwhile the receiver is told the old number."""

    async def story(scene: Scene) -> None:
        await scene.document(many(1))
        scene.fake.broken = "wg0 is gone"
        await scene.document(many(2, generation=2))
        await scene.worker.look()
        assert (scene.worker.applied, scene.worker.error) == ((1, 1), "wg0 is gone")
        scene.fake.broken = ""
        await scene.worker.look()

    scene = played(story)
    assert (scene.worker.applied, scene.worker.error) == ((1, 2), None)
    assert scene.fake.keys == {public_key(1), public_key(2)}
    assert events(caplog) == ["not applied"]


def test_a_client_that_was_revoked_is_told_gone_though_a_route_cannot_be_set(played: Play) -> None:
    """Routes are not what `revoke --wait` waits for; that they are missing is told all the same."""

    async def story(scene: Scene) -> None:
        scene.broken_around = "no route"
        await scene.document(many(1))

    scene = played(story)
    assert (scene.worker.applied, scene.worker.error, scene.worker.error_around) == ((1, 1), None, "no route")


def test_a_full_disk_keeps_nobody_who_was_revoked(
    played: Play, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The list cannot be kept; the peer is gone."""

    def full(_path: Path, _content: bytes) -> None:
        raise OSError(28, "No space left on device")

    async def story(scene: Scene) -> None:
        await scene.document(many(2))
        monkeypatch.setattr(cache, "write_whole", full)
        await scene.document(client_list(client(1), generation=2, revoked=[2]))

    assert played(story).fake.keys == {public_key(1)}
    assert "document not kept" in events(caplog)


def test_the_same_list_again_is_news(played: Play) -> None:
    """Whoever follows the receiver anew tells it what is applied: it may have forgotten."""

    async def story(scene: Scene) -> None:
        await scene.document(many(1))
        await scene.document(many(1))
        scene.news = 0
        await scene.document(many(1))

    assert played(story).news == 1


def test_peers_of_others_are_seen_by_a_worker_that_begins(played: Play) -> None:
    """They are not ours, however long they have been there."""

    async def story(scene: Scene) -> None:
        scene.fake.add(peer(1), MONITORING)
        await scene.document(many(2))

    scene = played(story)
    assert (scene.worker.tunnel.standing.ours, scene.worker.tunnel.standing.others) == (1, 2)
