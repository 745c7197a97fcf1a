"""Two receivers that know the same and are told the same, one by readings, one by webhooks, come to the same.

The truth wanders for a while, as two Prometheis might tell it. The one twin reads it every few seconds. The other gets
webhooks: each late, some twice, in whatever order and batches that makes. Then all workers are well, then some die.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from failover_receiver.state import AlertsDelivered, AlertSeen, AlertsRead, Event, State, Tick
from tests.failover_receiver.invariants import Invariant
from tests.failover_receiver.story import ALERTS, Key
from tests.failover_receiver.watched import Watched

WANDERING, QUIET = 25, 50
"""Seconds: of changes, and after which each twin has heard all, or holds it for over."""
LATE = 10
"""Seconds that a webhook may take here: less than the time within which it is known to be late."""

Number = Callable[[int, int], int]


@dataclass
class Twin:
    """One of them."""

    story: Watched
    state: State

    def take(self, event: Event, now: float) -> None:
        """Let it decide, unwatched."""
        self.state, _ = self.story.core.step(self.state, event, now=now, policy=self.story.policy)

    def published(self) -> list[tuple[object, ...]]:
        """What it says."""
        return [(one.name, one.state, one.reason, one.weight, one.monitored) for one in self.state.published]


class Truth:
    """What is so, told to both."""

    def __init__(self, story: Watched, number: Number) -> None:
        """All that was known before is over."""
        self.number = number
        self.now = story.now
        self.firing: dict[Key, float] = {}
        self.posted: list[tuple[float, AlertSeen]] = []
        self.reading = Twin(story, story.state)
        self.hearing = Twin(story, replace(story.state, read_at=0.0))
        over = tuple(
            AlertSeen(
                key,
                a.name,
                a.action,
                a.worker,
                firing=False,
                starts_at=a.starts_at,
                ends_at=self.now,
                seen_at=self.now,
            )
            for key, a in story.state.alerts.items()
        )
        self.hearing.take(AlertsDelivered(over), self.now)

    def tell(self, alert: str, name: str, *, fires: bool) -> None:
        """One thing becomes so, or is so no more."""
        key = alert, name
        if fires == (key in self.firing):
            return
        started = self.firing.setdefault(key, self.now) if fires else self.firing.pop(key)
        for _ in range(self.number(1, 2)):
            self.posted.append((self.now + self.number(0, LATE), self._seen(key, started, fires=fires)))

    def wait(self, seconds: int) -> None:
        """Time passes for both."""
        for _ in range(seconds):
            self.now += 1.0
            arrived = tuple(replace(one, seen_at=self.now) for due, one in self.posted if due <= self.now)
            self.posted = [(due, one) for due, one in self.posted if due > self.now]
            if self.now % 10 < 1:  # Alertmanager repeats what fires.
                arrived += self._all()
            if arrived:
                self.hearing.take(AlertsDelivered(arrived), self.now)
            if self.now % 5 < 1:
                self.reading.take(AlertsRead(self._all(), self.now, complete=True), self.now)
        for twin in (self.reading, self.hearing):
            twin.take(Tick(), self.now)

    def _all(self) -> tuple[AlertSeen, ...]:
        true = {("watchdog", ""): self.now, **self.firing}
        return tuple(self._seen(key, started, fires=True) for key, started in true.items())

    def _seen(self, key: Key, started: float, *, fires: bool) -> AlertSeen:
        (name, action), worker = ALERTS[key[0]], key[1] or None
        return AlertSeen("/".join(key), name, action, worker, fires, started, self.now, self.now)


def agree(story: Watched, number: Number) -> None:
    """Tell both, and compare; the story itself goes on from where it was."""
    names = sorted(story.state.workers)
    if not names:
        return
    truth = Truth(story, number)
    for _ in range(number(2, 6)):
        alert = ("down", "up", "degraded", "overloaded")[number(0, 3)]
        truth.tell(alert, names[number(0, len(names) - 1)], fires=number(0, 1) == 1)
        truth.wait(number(0, WANDERING // 5))
    for name in names:
        for alert in ("down", "degraded", "overloaded", "up"):
            truth.tell(alert, name, fires=alert == "up")
    truth.wait(QUIET + LATE + int(story.policy.hold_down_max))
    _compare(story, truth, "all are well")
    dying = number(0, 2 ** len(names) - 1)
    for place, name in enumerate(names):
        if dying >> place & 1:
            truth.tell("up", name, fires=False)
            truth.tell(("down", "degraded")[number(0, 1)], name, fires=True)
    truth.wait(LATE + 5)
    _compare(story, truth, "some died")


def _compare(story: Watched, truth: Truth, when: str) -> None:
    read, heard = truth.reading.published(), truth.hearing.published()
    story.must(Invariant.SAME, read == heard, f"{when}: by readings {read}, by webhooks {heard}")
