"""What may happen to a receiver: each a function of the story and of chance. The property test and the bench draw the same.

Chance is a function that draws a whole number between two others: hypothesis's, so that what breaks is made small, or
that of `random` with a seed, so that ten thousand sequences take minutes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from failover_receiver.state import (
    AlertsDelivered,
    AlertSeen,
    AlertsRead,
    DrainWished,
    Event,
    Policy,
    WorkerAdmitted,
    WorkerBanned,
    WorkerRegistered,
    WorkerRemoved,
)
from tests.failover_receiver.monitored import Monitored
from tests.failover_receiver.story import ALERTS, Core, spec

T = TypeVar("T")

NAMES = ("a", "b", "c", "d")
OF_WORKERS = ("down", "down", "up", "up", "degraded", "overloaded")


@dataclass(frozen=True)
class Draw:
    """Chance."""

    number: Callable[[int, int], int]
    """A whole number between these, both included."""

    def one(self, of: Sequence[T]) -> T:
        """One of them."""
        return of[self.number(0, len(of) - 1)]

    def chance(self) -> bool:
        """Heads or tails."""
        return self.number(0, 1) == 1

    def some(self, of: Sequence[T]) -> list[T]:
        """At least one of them."""
        chosen = self.number(1, 2 ** len(of) - 1)
        return [one for place, one in enumerate(of) if chosen >> place & 1]


Happening = Callable[[Monitored, Draw], None]


def a_story(draw: Draw, core: Core | None = None) -> Monitored:
    """Nothing has happened. Numbers of the policy that floats cannot hold exactly, and some that are the default."""
    odd, hold_down = draw.one((0.0, 0.1, 0.3)), draw.one((3.0, 30.0))
    policy = Policy(
        probe_interval=draw.one((1.0, 10.0)),
        least_serving=draw.one((0.0, 0.5, 1.0)),
        hold_down=hold_down,
        hold_down_max=4 * hold_down,
        watchdog_timeout=20.0 + odd,
        alert_lifetime=45.0 + odd,
        fresh_for=600.0 + odd,
    )
    return Monitored(policy=policy, core=core or Core())


def begins(story: Monitored, draw: Draw) -> None:
    """Some workers, most of them up."""
    names = NAMES[: draw.number(1, len(NAMES))]
    for number, name in enumerate(names, start=1):
        story.take(WorkerRegistered(name, spec(number)))
    up = names[: draw.number(len(names) - 1, len(names))]
    for who in range(len(story.prometheis)):
        story.fire(who, "up", list(up))
    story.wait(6)


# Monitoring.


def fires(story: Monitored, draw: Draw) -> None:
    """One Prometheus finds an alert true; the other may find the opposite."""
    here = [name for name in draw.some(NAMES) if name in story.state.workers]
    story.fire(draw.number(0, 1), draw.one(OF_WORKERS), here)


def fails(story: Monitored, draw: Draw) -> None:
    """Workers die, and both Prometheis see it."""
    here = [name for name in draw.some(NAMES) if name in story.state.workers]
    for who in (0, 1):
        story.end(who, "up", here)
        story.fire(who, "down", here)


def recovers(story: Monitored, draw: Draw) -> None:
    """All is well with some, and both Prometheis see it."""
    here = [name for name in draw.some(NAMES) if name in story.state.workers]
    for who in (0, 1):
        story.end(who, "down", here)
        story.end(who, "degraded", here)
        story.fire(who, "up", here)


def ends(story: Monitored, draw: Draw) -> None:
    """An alert is true no more, for one Prometheus or both."""
    who = draw.number(0, 1)
    firing = sorted(story.prometheis[who].firing)
    if firing:
        alert, name = draw.one(firing)
        for other in {who, draw.number(0, 1)}:
            story.end(other, alert, [name])


def held(story: Monitored, draw: Draw) -> None:
    """The vantage is cut off; it ends like any other alert."""
    story.fire(draw.number(0, 1), "blind", [""])


def posted(story: Monitored, draw: Draw) -> None:
    """A webhook of anything at all, late by up to 25 s; often of one worker alone."""
    names = (draw.one(NAMES),) if draw.chance() else NAMES
    batch = [_any_alert(story, draw, names) for _ in range(draw.number(1, 4))]
    story.take(AlertsDelivered(tuple(batch)))


def replayed(story: Monitored, draw: Draw) -> None:
    """An earlier webhook comes again."""
    if story.heard:
        old = draw.one(story.heard[-50:]).alerts
        again = (replace(one, seen_at=story.now, ends_at=min(one.ends_at, story.now)) for one in old)
        story.take(AlertsDelivered(tuple(again)))


def listed(story: Monitored, draw: Draw) -> None:
    """A reading of anything, however stale."""
    alerts = [
        replace(_any_alert(story, draw, NAMES), firing=True, seen_at=story.now - draw.number(0, 25))
        for _ in range(draw.number(0, 4))
    ]
    story.take(AlertsRead(tuple(alerts), story.now - draw.number(0, 2), complete=draw.chance()))


def comes_and_goes(story: Monitored, draw: Draw) -> None:
    """A part of monitoring, or the way to it, breaks or is mended."""
    broken = draw.number(0, 2) == 0
    one = draw.one(story.alertmanagers)
    match draw.number(0, 3):
        case 0:
            draw.one(story.prometheis).alive = not broken
        case 1:
            one.posts = not broken
        case 2:
            one.listed = not broken
        case _:
            one.delay = draw.number(1, 25) if broken else 0


def forgets(story: Monitored, draw: Draw) -> None:
    """An Alertmanager is killed, and starts with nothing."""
    draw.one(story.alertmanagers).held.clear()


# Operators.


def operates(story: Monitored, draw: Draw) -> None:
    """An operator does something, or a worker stops or is back; much of it is refused."""
    name = draw.one(NAMES)
    number = NAMES.index(name) + 1
    new_key, drain, banned = draw.chance(), draw.chance(), draw.chance()
    wishes: tuple[Event, ...] = (
        WorkerRegistered(name, spec(number)),
        DrainWished(name, drain=drain, own=True),
        WorkerRegistered(name, replace(spec(number), weight=number, region="here")),
        WorkerRegistered(name, spec(number + 10), new_key=new_key),
        WorkerRegistered(name, spec(1)),
        WorkerRemoved(name),
        DrainWished(name, drain=drain),
        WorkerBanned(name, banned=banned),
        DrainWished(name, drain=False),
        WorkerBanned(name, banned=False),
        WorkerAdmitted(name),
        WorkerAdmitted(name, force=True),
    )
    story.take(draw.one(wishes))


def overrules(story: Monitored, draw: Draw) -> None:
    """An operator lets a worker in against an alert that fires."""
    dead = sorted({name for one in story.prometheis for kind, name in one.firing if kind == "down"})
    if dead:
        story.take(WorkerAdmitted(draw.one(dead), force=True))


# Time.


def waits(story: Monitored, draw: Draw) -> None:
    """Time passes, and deadlines ring."""
    story.wait(draw.one((1, 2, 5, 10, 30, 70)))


def restarts(story: Monitored, draw: Draw) -> None:
    """The receiver is killed and started."""
    story.restart(forgetting=draw.chance())


def clock_is_set(story: Monitored, draw: Draw) -> None:
    """By somebody, back or forth."""
    story.now += draw.one((-7200, -600, -30, -3, 3, 30, 600, 7200))


def _any_alert(story: Monitored, draw: Draw, names: Sequence[str]) -> AlertSeen:
    kind = draw.one(("down", "down", "up", "up", "degraded", "overloaded", "blind", "watchdog"))
    worker = None if kind in {"blind", "watchdog"} else draw.one(names)
    name, action = ALERTS[kind]
    started = draw.number(-10, 50)  # Another clock may be ahead.
    return AlertSeen(
        fingerprint=f"{kind}/{worker or ''}",
        name=name,
        action=action,
        worker=worker,
        firing=draw.chance(),
        starts_at=story.now - started,
        ends_at=story.now - draw.number(0, max(0, min(started, 25))),
        seen_at=story.now,
    )


HAPPENINGS: tuple[Happening, ...] = (
    *(fires, fires, fails, fails, recovers, recovers, ends, ends, held),
    *(posted, posted, replayed, replayed, listed, comes_and_goes, comes_and_goes, forgets),
    *(operates, operates, operates, overrules),
    *(waits, waits, waits, waits, restarts, clock_is_set),
)
"""What happens often stands there more than once."""
