"""Tests of failover_receiver/publishing/runner.py: each publisher gets the newest, fails alone and catches up."""

import asyncio
import logging

import pytest

from failover_receiver.metrics import Metrics
from failover_receiver.publication import Publication
from failover_receiver.publishing import Publishing, PublishingError, runner
from tests.failover_receiver.parts import facts
from tests.failover_receiver.publishing.driven import run
from tests.failover_receiver.publishing.recording import Recording, document, said
from tests.failover_receiver.watching import Stream, joined

pytestmark = pytest.mark.anyio


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between attempts that a test can wait for."""
    monkeypatch.setattr(runner, "FIRST_WAIT_SECONDS", 0.001)
    monkeypatch.setattr(runner, "LONGEST_WAIT_SECONDS", 0.002)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between attempts that no test waits for, even by chance."""
    monkeypatch.setattr(runner, "FIRST_WAIT_SECONDS", 1e9)
    monkeypatch.setattr(runner, "LONGEST_WAIT_SECONDS", 1e9)


async def test_a_document_is_published_with_what_it_says() -> None:
    """To all publishers."""
    one, other = Recording("one"), Recording("other")

    async with run(one, other) as running:
        running.show(7)
        await one.until_published(7)
        await other.until_published(7)

    assert (one.said, other.said) == ([said(7)], [said(7)])


async def test_what_the_store_held_is_published_at_the_start() -> None:
    """A broker may have forgotten it meanwhile."""
    recording, publication = Recording(), Publication()
    publication.show(document(3))

    task = asyncio.create_task(Publishing([recording], publication, Metrics()).run())

    await recording.until_published(3)
    task.cancel()


async def test_of_documents_that_came_meanwhile_only_the_last_is_published() -> None:
    """One that is slow is never given what is out of date."""
    recording = Recording()
    recording.go_on.clear()

    async with run(recording) as running:
        running.show(1)
        await recording.until_tried(1)
        running.show(2, 3, 4)
        recording.go_on.set()
        await recording.until_published(1, 4)


@pytest.mark.usefixtures("impatient")
async def test_what_failed_is_tried_again_until_it_is_there() -> None:
    """With the newest document, and without a word between the first failure and the end of it."""
    recording = Recording()
    recording.error = PublishingError("nobody is there")

    async with run(recording) as running:
        running.show(1)
        await recording.until_tried(4)
        recording.error = None
        await recording.until_published(1)

        assert recording.published == [1]
        assert (running.value("failures_total") or 0) >= 3
        assert running.value("up") == 1


@pytest.mark.usefixtures("impatient")
async def test_a_failure_is_said_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    """Not at each attempt."""
    caplog.set_level(logging.INFO)
    recording = Recording()
    recording.error = PublishingError("nobody is there")

    async with run(recording) as running:
        running.show(1)
        await recording.until_tried(4)
        recording.error = None
        await recording.until_published(1)

    assert facts(caplog.records, "not published") == [{"publisher": "recording", "error": "nobody is there"}]
    (again,) = facts(caplog.records, "publishing again")
    assert again["generation"] == 1


@pytest.mark.usefixtures("impatient")
async def test_a_foreign_error_is_said_by_its_kind_alone(caplog: pytest.LogCaptureFixture) -> None:
    """Its text may quote an address, with what is secret in it."""
    recording = Recording()
    recording.error = RuntimeError("https://bucket.example/?signature=hunter2")

    async with run(recording) as running:
        running.show(1)
        await recording.until_tried(2)

    assert facts(caplog.records, "not published") == [{"publisher": "recording", "error": "RuntimeError"}]


@pytest.mark.usefixtures("patient")
async def test_a_newer_document_is_worth_an_attempt_at_once() -> None:
    """The place may be there again, and the wait may have grown long."""
    recording = Recording()
    recording.error = PublishingError("nobody is there")

    async with run(recording) as running:
        running.show(1)
        await recording.until_tried(1)
        recording.error = None
        running.show(2)
        await recording.until_published(2)

    assert recording.attempts == [1, 2]


@pytest.mark.usefixtures("patient")
async def test_one_that_fails_or_hangs_delays_no_other_and_no_watcher() -> None:
    """Each is driven alone."""
    failing, hanging, sound, watcher = (
        Recording("failing"),
        Recording("hanging"),
        Recording("sound"),
        Stream(),
    )
    failing.error = PublishingError("nobody is there")
    hanging.go_on.clear()

    async with run(failing, hanging, sound) as running:
        joined(running.publication.streams, watcher)
        running.show(1)
        await hanging.until_tried(1)
        await failing.until_tried(1)
        running.show(2)

        await sound.until_published(1, 2)
        await watcher.until(lambda: len(watcher.heard) == 2)
        running.publication.close()

    assert (failing.published, hanging.published) == ([], [])


@pytest.mark.usefixtures("impatient")
async def test_who_takes_too_long_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is called again."""
    monkeypatch.setattr(runner, "PATIENCE_SECONDS", 0.001)
    recording = Recording()
    recording.go_on.clear()

    async with run(recording) as running:
        running.show(1)
        await recording.until_tried(3)
        recording.go_on.set()
        await recording.until_published(1)


async def test_what_was_lost_is_published_again() -> None:
    """A broker that was restarted has forgotten it."""
    recording = Recording()

    async with run(recording) as running:
        running.show(1)
        await recording.until_published(1)
        recording.gone.set()
        await recording.until_published(1, 1)


async def test_what_is_lost_while_it_is_being_published_is_published_again() -> None:
    """The loss may have come after the document did."""
    recording = Recording()
    recording.go_on.clear()

    async with run(recording) as running:
        running.show(1)
        await recording.until_tried(1)
        recording.gone.set()
        await recording.until_heard()
        recording.go_on.set()
        await recording.until_published(1, 1)


@pytest.mark.usefixtures("patient")
async def test_the_metrics_say_how_far_each_has_got(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one that fails, since when there is something that it has not published."""
    now = 100.0
    monkeypatch.setattr("failover_receiver.publishing.runner.time.monotonic", lambda: now)
    sound, failing = Recording("sound"), Recording("failing")
    failing.error = PublishingError("nobody is there")

    async with run(sound, failing) as running:
        running.show(5)
        await sound.until_published(5)
        await failing.until_tried(1)
        now = 107.0
        running.show(6)
        await sound.until_published(5, 6)
        await failing.until_tried(2)
        now = 109.0

        names = ("up", "failures_total", "generation", "behind_seconds")
        assert [running.value(name, "sound") for name in names] == [1, 0, 6, 0]
        assert [running.value(name, "failing") for name in names] == [0, 2, 0, 9]


async def test_publishers_are_closed_at_the_end() -> None:
    """Each of them."""
    one, other = Recording("one"), Recording("other")

    async with run(one, other) as running:
        running.show(1)
        await one.until_published(1)

    assert (one.closed, other.closed) == (True, True)


async def test_nothing_is_published_while_it_may_be_old() -> None:
    """A receiver that does not hear the others would put what is old in the place of what is newer."""
    recording, publication, asked = Recording(), Publication(), asyncio.Event()
    cut_off = True

    def doubt() -> str | None:
        asked.set()
        return "the store is away" if cut_off else None

    task = asyncio.create_task(Publishing([recording], publication, Metrics(), doubt).run())
    publication.show(document(1))
    await asked.wait()
    cut_off = False
    publication.show(document(2))
    await recording.until_published(2)
    task.cancel()

    assert recording.attempts == [2]


class Deaf(Recording):
    """Breaks where it should tell of losses."""

    async def lost(self) -> None:
        """Once."""
        if not self.gone.is_set():
            self.gone.set()
            raise RuntimeError("hunter2")
        await asyncio.Event().wait()


@pytest.mark.usefixtures("impatient")
async def test_one_that_breaks_while_it_listens_takes_no_other_along(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nor itself: it is published to again, as after any loss."""
    deaf, other = Deaf("deaf"), Recording("other")

    async with run(deaf, other) as running:
        running.show(1)
        await running.until(deaf.gone.is_set)
        running.show(2)
        await running.until(lambda: deaf.published[-1:] == [2])
        await running.until(lambda: other.published[-1:] == [2])

    (heard,) = facts(caplog.records, "publisher does not hear of losses")
    assert heard == {"publisher": "deaf", "error": "RuntimeError"}
