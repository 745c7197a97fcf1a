"""What the core makes of a clock that somebody sets: a story cannot tell it, because it has only one clock.

Waiting goes on by the clock as it is then shown; monitoring's clock is the same, so it is set with it.
"""

import pytest

from failover_receiver.state import Tick
from tests.failover_receiver.story import Story
from wgfleet.peerset import Monitoring

HOURS = 7200.0


def story(*commands: str) -> Story:
    """Two workers that serve, and what happened then."""
    begun = Story()
    for command in ("wait 6", "add a b", "fires up a b", *commands):
        begun.run(command)
    return begun


def set_clock(story: Story, by: float) -> None:
    """Somebody sets the clock. The driver's timer runs by another one, so it rings all the same."""
    story.now += by
    story.take(Tick())


def states(story: Story) -> dict[str, str]:
    """Each worker's published state."""
    return {worker.name: worker.state.value for worker in story.state.published}


def monitoring(story: Story) -> Monitoring:
    """Whether it is believed."""
    return story.state.monitoring


@pytest.mark.parametrize("by", [-HOURS, HOURS])
def test_nobody_is_moved_by_a_clock_that_is_set(by: float) -> None:
    """Not even one that is down, or held down."""
    told = story("add c d", "fires up c d", "ends up a", "fires down a")
    before = states(told)

    set_clock(told, by)
    told.wait(10)

    assert states(told) == before == {"a": "down", "b": "serving", "c": "serving", "d": "serving"}


def test_a_dead_watchdog_is_noticed_after_the_clock_was_set_back() -> None:
    """Not when the clock has come again to where it was heard last."""
    told = story()
    set_clock(told, -HOURS)
    told.run("prometheus dies")
    told.run("readings stop")

    told.wait(19)
    assert monitoring(told) is Monitoring.LIVE
    told.wait(2)

    assert monitoring(told) is Monitoring.BLIND


def test_a_webhooks_watchdog_counts_again_when_readings_stop_as_the_clock_is_set_back() -> None:
    """The last reading is as old as it is, whatever the clock says."""
    told = story()
    set_clock(told, -HOURS)
    told.run("readings stop")

    for _ in range(4):
        told.wait(15)
        told.deliver("watchdog", "", told.now, None)

    assert monitoring(told) is Monitoring.LIVE


def test_an_up_of_the_future_lets_nobody_in() -> None:
    """It was heard before the worker died; its end is unheard, and the Down's is false."""
    told = story("readings stop")
    set_clock(told, -HOURS)
    told.deliver("watchdog", "", told.now, None)
    told.deliver("down", "a", told.now, None)
    down = told.now

    told.wait(10)
    told.deliver("watchdog", "", told.now, None)
    told.deliver("down", "a", down, told.now)
    told.wait(15)

    assert states(told)["a"] == "down"


def test_an_end_of_the_future_does_not_keep_a_worker_out() -> None:
    """Up is heard after it, by any clock."""
    told = story("ends up a", "fires down a", "wait 5", "ends down a")
    set_clock(told, -HOURS)

    told.run("fires up a")
    told.wait(5)

    assert states(told)["a"] == "joining"


def test_an_end_counts_though_its_alert_began_in_the_future() -> None:
    """By the clock as it was; a webhook alone tells of it."""
    told = story("readings stop", "ends up a", "fires down a")
    began = told.now
    set_clock(told, -HOURS)
    told.deliver("watchdog", "", told.now, None)

    told.deliver("down", "a", began, told.now)
    told.wait(1)
    told.deliver("up", "a", told.now, None)

    assert states(told)["a"] == "joining"


def test_a_hold_down_is_not_prolonged_by_the_clock() -> None:
    """It begins anew at most."""
    told = story("ends up a", "fires down a", "wait 5", "ends down a", "fires up a", "wait 5")
    assert states(told)["a"] == "joining"
    set_clock(told, -HOURS)

    told.wait(30)

    assert states(told)["a"] == "serving"


def test_failures_of_the_future_are_not_counted() -> None:
    """They are from before the clock was set, and nobody knows how long ago."""
    told = story("ends up a", "fires down a")
    set_clock(told, -HOURS)
    told.run("ends down a")
    told.run("fires up a")
    told.wait(40)
    assert states(told)["a"] == "serving"

    told.run("ends up a")
    told.run("fires down a")

    assert told.state.workers["a"].failures == (told.now,)


def test_a_document_of_the_future_is_issued_anew() -> None:
    """Clients would take every later one for older than it is."""
    told = story()
    set_clock(told, -HOURS)

    assert told.state.issued_at <= told.now
