"""Tests of client_sync/driver.py: documents, starts, probes and the end."""

from pathlib import Path

import pytest

from client_sync.state import State
from tests.client_sync.device import FakeDevice
from tests.client_sync.samples import ALL, peer_set, public_key, signed, worker
from tests.client_sync.scene import TWO, Played, Scene, said
from wgfleet.device import Peer
from wgfleet.diff import Kind
from wgfleet.peerset import PeerSet, WorkerState
from wgfleet.signing import Signer

# Documents.


def test_the_first_document_leads_to_a_path(played: Played, caplog: pytest.LogCaptureFixture) -> None:
    """The peers are set, the workers are probed, and the preferred one that answers carries the traffic."""

    async def story(scene: Scene) -> None:
        scene.receive(TWO)
        await scene.until_carried_by(1)
        assert scene.fake.keys == {public_key(1), public_key(2)}
        assert scene.workers.asked[:2] == ["10.99.0.1", "10.99.0.2"]

    played(story)
    assert said(caplog, "moved") == [{"worker": "w1", "reason": "first", "epoch": 1, "generation": 1}]


def test_a_newer_document_is_followed(played: Played, caplog: pytest.LogCaptureFixture) -> None:
    """The active worker is published down, and the other one answers."""

    async def story(scene: Scene) -> None:
        scene.receive(TWO)
        await scene.until_carried_by(1)
        scene.receive(peer_set(worker(1, WorkerState.DOWN), worker(2), generation=2))
        await scene.until_carried_by(2)

    played(story)
    assert said(caplog, "moved")[1:] == [
        {"worker": "w2", "before": "w1", "reason": "published", "epoch": 1, "generation": 2}
    ]


def test_a_refused_document_is_reported_and_changes_nothing(
    played: Played, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the state, nor the device, nor what is kept."""

    async def story(scene: Scene) -> None:
        scene.receive(TWO)
        await scene.until_carried_by(1)
        before = (scene.driver.state, list(scene.fake.calls), scene.kept)
        forged = signed(Signer.generate(), peer_set(worker(3), generation=9))

        scene.driver.document(forged)

        assert (scene.driver.state, scene.fake.calls, scene.kept) == before

    played(story)
    assert [str(facts["error"])[:15] for facts in said(caplog, "document refused")] == ["signed with key"]


def test_the_same_document_again_does_nothing(played: Played, caplog: pytest.LogCaptureFixture) -> None:
    """It comes with every connection."""

    async def story(scene: Scene) -> None:
        scene.receive(TWO)
        await scene.until_carried_by(1)
        before = scene.driver.state
        scene.fake.broken = "must not be asked"

        scene.receive(TWO)

        assert scene.driver.state is before

    played(story)
    assert len(said(caplog, "received")) == 1


def test_a_document_is_applied_before_it_is_kept(played: Played) -> None:
    """A slow disk holds up no failover."""

    async def story(scene: Scene) -> None:
        kept: list[PeerSet | None] = []
        scene.fake.on_set = lambda: kept.append(scene.kept)
        scene.receive(TWO)
        assert kept == [None]
        assert scene.kept == TWO

    played(story)


def test_a_document_that_cannot_be_kept_is_still_used(
    played: Played, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The disk is full: that is said, and the traffic moves."""

    async def story(scene: Scene) -> None:
        (tmp_path / "peer-set.jws").mkdir()  # No file can be put in the place of a folder.
        scene.receive(TWO)
        await scene.until_carried_by(1)
        scene.receive(peer_set(worker(1, WorkerState.DOWN), worker(2), generation=2))
        await scene.until_carried_by(2)

    played(story)
    assert len(said(caplog, "document not kept")) == 2


# Starting.


def test_a_kept_document_is_enough_to_start(played: Played) -> None:
    """No receiver is there; the workers of the last run are."""

    async def first(scene: Scene) -> None:
        scene.receive(TWO)

    async def second(scene: Scene) -> None:
        scene.driver.start(scene.documents.last_good())
        await scene.until_carried_by(1)

    played(first)
    played(second, fake=FakeDevice())


def test_without_a_kept_document_nothing_is_done(played: Played) -> None:
    """The interface is left as it is until one comes."""

    async def story(scene: Scene) -> None:
        scene.fake.broken = "must not be asked"
        scene.driver.start(None)
        assert scene.driver.state == State()

    played(story)


@pytest.mark.parametrize("arrives", [True, False], ids=["arrives", "was kept"])
def test_a_start_moves_nobody(played: Played, caplog: pytest.LogCaptureFixture, *, arrives: bool) -> None:
    """The worker that carries the traffic goes on, though the client would have preferred another."""
    fake = FakeDevice()
    fake.add(Peer(public_key(2), "192.0.2.2:51820", ("10.99.0.2/32", ALL), None, 0, 0, 25))

    async def story(scene: Scene) -> None:
        if arrives:
            scene.receive(TWO)
        else:
            scene.driver.start(TWO)
        await scene.until(lambda: scene.fake.keys == {public_key(1), public_key(2)})
        scene.workers.more.clear()
        await scene.workers.more.wait()
        assert scene.driver.state.active == "w2"
        assert {carried[ALL] for carried in fake.carriers} == {public_key(2)}

    played(story, fake=fake, standby_interval=0.05)
    assert said(caplog, "moved") == []


@pytest.mark.usefixtures("soon")
def test_a_device_that_cannot_be_read_at_the_start_is_read_later(
    played: Played, caplog: pytest.LogCaptureFixture
) -> None:
    """That is said, and nothing is set before it is known who carries the traffic, whatever document comes meanwhile."""
    fake = FakeDevice()
    fake.add(Peer(public_key(2), "192.0.2.2:51820", ("10.99.0.2/32", ALL), None, 0, 0, 25))

    async def story(scene: Scene) -> None:
        fake.broken = "it hangs"
        scene.driver.start(TWO)
        fake.broken = ""
        scene.receive(peer_set(worker(1), worker(2), worker(3), generation=2))
        await scene.until(lambda: public_key(3) in fake.keys)
        assert scene.driver.state.active == "w2"
        assert {carried[ALL] for carried in fake.carriers} == {public_key(2)}

    played(story, fake=fake)
    assert [str(facts["error"]) for facts in said(caplog, "interface not readable")] == ["it hangs"]


@pytest.mark.usefixtures("soon")
def test_a_device_that_cannot_be_read_for_a_while_is_asked_until_it_can(
    played: Played, caplog: pytest.LogCaptureFixture
) -> None:
    """No document is needed for that."""
    fake = FakeDevice(broken="it hangs")

    def mend_after_three() -> None:
        if len(said(caplog, "interface not readable")) == 3:
            fake.broken = ""

    async def story(scene: Scene) -> None:
        fake.on_read = mend_after_three
        scene.driver.start(TWO)
        await scene.until_carried_by(1)

    played(story, fake=fake)
    assert len(said(caplog, "interface not readable")) == 3


# Probing and moving.


def test_a_removed_active_worker_hands_over_without_a_gap(played: Played) -> None:
    """Another one answered just now: at no moment do the prefixes rest on nobody, and then the old peer is gone."""

    async def story(scene: Scene) -> None:
        scene.receive(TWO)
        await scene.until_carried_by(1)
        await scene.until(lambda: scene.driver.state.liveness["w2"].answered_at is not None)
        scene.fake.carriers.clear()
        scene.receive(peer_set(worker(2), generation=2))
        assert scene.fake.keys == {public_key(2)}
        assert {carried[ALL] for carried in scene.fake.carriers} == {public_key(2)}

    played(story, standby_interval=0.05)


def test_a_silent_standby_is_made_anew(played: Played, caplog: pytest.LogCaptureFixture) -> None:
    """Its peer is removed and added in one call; that is said."""

    async def story(scene: Scene) -> None:
        scene.workers.silent.add("10.99.0.2")
        scene.receive(TWO)
        await scene.until(lambda: bool(said(caplog, "standby silent, session made anew")))
        assert [(change.kind, change.public_key) for change in scene.fake.calls[-1]] == [
            (Kind.REMOVE, public_key(2)),
            (Kind.ADD, public_key(2)),
        ]

    played(story, standby_interval=0.05)
    assert said(caplog, "standby silent, session made anew")[0] == {"worker": "w2"}


def test_standbys_are_asked_again_and_again(played: Played) -> None:
    """The timer is set anew after each time."""

    async def story(scene: Scene) -> None:
        scene.receive(TWO)
        await scene.until(lambda: len(scene.workers.asked) >= 5)
        assert set(scene.workers.asked[2:]) == {"10.99.0.2"}

    played(story, active_interval=3600.0, standby_interval=0.02)


def test_a_deadline_that_passes_while_the_device_is_slow_is_not_lost(played: Played) -> None:
    """A `wg` that took longer than it is until the next probe: that is sent late, but it is sent."""

    async def story(scene: Scene) -> None:
        scene.receive(TWO)
        await scene.until(lambda: [one.open for one in scene.driver.state.liveness.values()] == [(), ()])
        scene.fake.on_set = lambda: setattr(scene.clock, "ahead", 60.0)
        scene.workers.asked.clear()
        scene.receive(peer_set(worker(1), worker(2, keepalive=5), generation=2))
        await scene.until(lambda: bool(scene.workers.asked))

    played(story)


def test_there_is_one_timer_at_a_time(played: Played) -> None:
    """What was armed before does not ring too."""

    async def story(scene: Scene) -> None:
        scene.receive(TWO)
        await scene.until(lambda: scene.driver._timer is not None)
        former = scene.driver._timer
        scene.receive(peer_set(worker(1, keepalive=5), worker(2), generation=2))
        assert former is not None
        assert former.cancelled()
        assert scene.driver._timer is not former

    played(story)


def test_every_state_that_is_worth_telling_is_shown(played: Played) -> None:
    """The last one shown is the one that holds."""

    async def story(scene: Scene) -> None:
        scene.receive(TWO)
        await scene.until_carried_by(1)
        assert scene.shown[-1].active == "w1"
        assert [state.active for state in scene.shown].count("w1") == 1

    played(story)


def test_a_first_document_that_moves_nobody_is_shown_at_once(played: Played) -> None:
    """A fleet without workers yet; what is told of it now and then would be late."""

    async def story(scene: Scene) -> None:
        scene.receive(peer_set())
        assert [state.peer_set for state in scene.shown] == [peer_set()]

    played(story)


# Stopping.


@pytest.mark.usefixtures("soon")
def test_closing_cancels_all_that_would_still_come(played: Played) -> None:
    """The timer, the next look at the device and at its counters; the device stays as it is."""

    async def story(scene: Scene) -> None:
        scene.driver.start(TWO)
        await scene.until(lambda: scene.driver._timer is not None)
        scene.fake.broken = "no buffer space"
        scene.receive(peer_set(worker(1), worker(2), worker(3), worker(4), generation=2))
        device = scene.fake.device
        armed = [scene.driver._timer, scene.driver._retry, scene.driver._counting]
        assert [timer is not None and not timer.cancelled() for timer in armed] == [True] * 3

        scene.driver.close()

        assert [timer is not None and timer.cancelled() for timer in armed] == [True] * 3
        assert scene.fake.device == device

    played(story)


def test_traffic_that_is_not_answered_is_a_doubt(played: Played) -> None:
    """Packets go out and none come in: the active worker is asked at once, not with its next turn."""

    async def story(scene: Scene) -> None:
        scene.driver.start(TWO)
        await scene.until_carried_by(1)
        await scene.until(lambda: scene.driver.state.liveness["w1"].open == ())
        scene.workers.counted = (0, 200)
        scene.workers.asked.clear()
        await scene.until(lambda: "10.99.0.1" in scene.workers.asked)
        assert scene.driver.state.doubted_at is not None

    played(story, active_interval=3600.0, standby_interval=3600.0)


def test_a_worker_that_dies_is_left_without_any_receiver(
    played: Played, caplog: pytest.LogCaptureFixture
) -> None:
    """The own probe finds it."""

    async def story(scene: Scene) -> None:
        scene.driver.start(TWO)
        await scene.until_carried_by(1)
        scene.workers.silent.add("10.99.0.1")
        await scene.until_carried_by(2)

    played(story, active_interval=0.1)
    assert said(caplog, "moved")[-1]["reason"] == "silent"


def test_probes_and_their_answers_are_no_news(played: Played) -> None:
    """Nobody is told of each: the receiver would be asked ten thousand times a second."""

    async def story(scene: Scene) -> None:
        scene.driver.start(TWO)
        await scene.until_carried_by(1)
        shown = len(scene.shown)
        scene.workers.asked.clear()
        await scene.until(lambda: len(scene.workers.asked) > 5)
        assert len(scene.shown) == shown

    played(story, active_interval=0.02, standby_interval=0.02)


def test_closing_before_anything_came_is_no_error(played: Played) -> None:
    """A daemon that is stopped at once."""

    async def story(scene: Scene) -> None:
        scene.driver.close()

    played(story)
