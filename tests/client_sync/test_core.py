"""The daemon's whole behaviour as stories. Read their diffs: each line is a decision.

After a change that was meant: `WGFLEET_REWRITE=1 pytest tests/client_sync/test_core.py`, then read the diff.
Only commit what you understand and want.
"""

from pathlib import Path

import pytest

from client_sync.core import next_deadline, step
from client_sync.state import Answered, Received, Tick
from tests.client_sync.samples import FLEET, peer_set, worker
from tests.client_sync.story import Story
from tests.timelines import must_hold, timelines
from wgfleet.peerset import PeerSet, WorkerState


@pytest.mark.parametrize("file", timelines(Path(__file__).parent), ids=lambda file: file.stem)
def test_the_core_decides_as_the_story_says(file: Path) -> None:
    """Every command has the outcome that is written below it, and no other."""
    must_hold(file, Story())


def played(*commands: str) -> Story:
    """A story in its last moment."""
    story = Story()
    for command in commands:
        story.run(command)
    return story


def test_a_state_that_is_unknown_is_used_only_if_nothing_better_answers() -> None:
    """A document of a newer receiver: the active worker is in a state that this client has no word for, and is left."""
    story = played("document w1=serving w2=serving", "wait 5.5")
    assert story.state.active == "w1"
    document = peer_set(worker(1), worker(2), generation=2).to_bytes()
    newer = document.replace(b'"state":"serving"', b'"state":"resting"', 1)

    story.take(Received(PeerSet.from_bytes(newer, fleet=FLEET)))

    assert story.state.active == "w2"


def test_a_state_that_is_unknown_is_better_than_none() -> None:
    """A worker in such a state is used if it is the only one that answers."""
    document = peer_set(worker(1), worker(2, WorkerState.DOWN)).to_bytes()
    newer = document.replace(b'"state":"serving"', b'"state":"resting"')
    story = Story()
    story.take(Received(PeerSet.from_bytes(newer, fleet=FLEET)))

    story.wait(1.0)

    assert story.state.active == "w1"


def test_the_next_deadline_is_the_earliest() -> None:
    """The active worker is due each second; of two standbys that were asked at different times, the one asked first."""
    story = played("document w1=serving w2=serving", "wait 2", "document w1=serving w2=serving w3=serving")
    story.run("wait 2.9")

    assert next_deadline(story.state, now=story.now, settings=story.settings) == 1005.0
    story.run("settings active_interval=60")
    assert next_deadline(story.state, now=story.now, settings=story.settings) == 1005.0


def test_a_deadline_that_passed_unseen_is_due_now() -> None:
    """A device that took its time let the deadline pass: it rings late, but it rings."""
    story = played("document w1=serving w2=serving", "wait 1")

    assert next_deadline(story.state, now=1007.0, settings=story.settings) == 1007.0


def test_a_probe_under_way_is_given_up_in_time() -> None:
    """Of a first probe, whose round trip nobody knows, it is said after a quarter of a second that it is overdue."""
    story = played("settings urgent_interval=9", "document w1=serving w2=serving")

    assert next_deadline(story.state, now=story.now, settings=story.settings) == 1000.25
    assert next_deadline(story.state, now=1000.3, settings=story.settings) == 1000.5


def test_a_tick_before_its_time_does_nothing() -> None:
    """Timers may ring a little early."""
    story = played("document w1=serving w2=serving", "wait 4.999")

    assert step(story.state, Tick(), now=story.now, settings=story.settings) == (story.state, ())


def test_a_report_on_a_worker_that_was_never_asked_is_ignored() -> None:
    """It may be gone since, or be another one by now."""
    story = played("document w1=serving w2=serving", "wait 1")
    report = Answered("w3", story.now)

    assert step(story.state, report, now=story.now, settings=story.settings) == (story.state, ())
