"""A step costs what is new in it: what an event leaves as it was stays the same object, which the store can tell by `is`."""

from dataclasses import replace

from failover_receiver.core import step
from failover_receiver.state import AlertsDelivered, AlertsRead, Effect, Event, State, Tick
from tests.failover_receiver.story import Story


def begun() -> Story:
    """Three workers that serve, and much that is known of them."""
    story = Story()
    for command in ("wait 6", "add a b c", "fires up a b c", "fires overloaded b", "wait 6"):
        story.run(command)
    return story


def taken(story: Story, event: Event, *, after: float = 0.0) -> tuple[State, tuple[Effect, ...]]:
    """What an event makes of it."""
    return step(story.state, event, now=story.now + after, policy=story.policy)


def test_a_deadline_at_which_nothing_is_due_leaves_everything() -> None:
    """Down to the mappings."""
    story = begun()

    after, effects = taken(story, Tick(), after=0.5)

    assert effects == ()
    assert after.workers is story.state.workers
    assert after.alerts is story.state.alerts
    assert after.published is story.state.published or all(
        one is other for one, other in zip(after.published, story.state.published, strict=True)
    )


def test_an_alert_that_is_told_again_replaces_itself_alone() -> None:
    """And no worker."""
    story = begun()
    heard = story._seen(("up", "a"), story.now, None, story.now + 0.5)

    after, _ = taken(story, AlertsDelivered((heard,)), after=0.5)

    assert after.workers is story.state.workers
    other = {key for key, alert in after.alerts.items() if alert is not story.state.alerts[key]}
    assert other == {"up/a"}


def test_a_reading_that_says_nothing_new_leaves_every_alert() -> None:
    """Alertmanager is read more often than Prometheus tells it anything."""
    story = begun()
    listed = tuple(
        story._seen(key, held.starts_at, None, held.updated_at) for key, held in story.held.items()
    )
    event = AlertsRead(listed, story.now, complete=True)
    known, _ = taken(story, event)

    after, _ = step(known, replace(event, read_at=story.now + 1), now=story.now + 1, policy=story.policy)

    assert after.alerts is known.alerts


def test_a_worker_that_fails_leaves_the_others_as_they_are() -> None:
    """In what is known, and in what is published."""
    story = begun()
    down = story._seen(("down", "a"), story.now, None, story.now)

    after, _ = taken(story, AlertsDelivered((down,)))

    assert {name for name, worker in after.workers.items() if worker is not story.state.workers[name]} == {
        "a"
    }
    old = {one.name: one for one in story.state.published}
    assert {one.name for one in after.published if one is not old[one.name]} == {"a"}
