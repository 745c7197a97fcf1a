"""Whatever comes, in whatever order: what must always hold does hold, at every step.

The rules make up monitoring and operators; `Watched` checks.
"""

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

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
from tests.failover_receiver.story import ALERTS, spec
from tests.failover_receiver.watched import Watched

NAMES = ("a", "b", "c", "d")
names = st.sampled_from(NAMES)
of_workers = st.sampled_from(["down", "degraded", "up"])
seconds = st.integers(min_value=0, max_value=25)


@st.composite
def alerts(draw: st.DrawFn) -> AlertSeen:
    """Any alert, its times counted from now: to be moved to when it comes."""
    kind = draw(st.sampled_from(["down", "down", "up", "up", "degraded", "blind", "watchdog"]))
    worker = draw(names) if kind in {"down", "degraded", "up"} else None
    started, ended = draw(seconds) + draw(seconds), draw(seconds)
    name, action = ALERTS[kind]
    firing = draw(st.booleans())
    return AlertSeen(
        f"{kind}/{worker or ''}",
        name,
        action,
        worker,
        firing,
        -float(started),
        -float(min(started, ended)),
        0.0,
    )


class Receiver(RuleBasedStateMachine):
    """Monitoring and operators do as they like."""

    def __init__(self) -> None:
        """Nothing has happened yet."""
        super().__init__()
        self.story = Watched()

    @initialize(
        count=st.integers(min_value=1, max_value=len(NAMES)),
        least_serving=st.sampled_from([0.0, 0.5, 1.0]),
        hold_down=st.sampled_from([3.0, 30.0]),
        odd=st.sampled_from([0.0, 0.1, 0.3]),
    )
    def begin(self, count: int, least_serving: float, hold_down: float, odd: float) -> None:
        """Some workers, all up, and numbers of the policy that floats cannot hold exactly."""
        policy = Policy(
            probe_interval=1.0,
            least_serving=least_serving,
            hold_down=hold_down,
            watchdog_timeout=20.0 + odd,
            alert_lifetime=45.0 + odd,
            fresh_for=600.0 + odd,
        )
        self.story = Watched(policy=policy)
        for number, name in enumerate(NAMES[:count], start=1):
            self.story.take(WorkerRegistered(name, spec(number)))
        self.story.change("fires", "up", list(NAMES[:count]), deliver=False)
        self.story.wait(6)

    # Monitoring.

    @rule(alert=of_workers, who=st.sets(names, min_size=1), deliver=st.booleans())
    def fires(self, alert: str, who: set[str], *, deliver: bool) -> None:
        """Some Prometheus finds an alert true; another may find the opposite."""
        self.story.change("fires", alert, sorted(who & set(self.story.state.workers)), deliver=deliver)

    @rule(who=st.sets(names, min_size=1))
    def fail(self, who: set[str]) -> None:
        """Workers die."""
        for name in sorted(who & set(self.story.state.workers)):
            if ("up", name) in self.story.firing:
                self.story.change("ends", "up", [name], deliver=True)
            self.story.change("fires", "down", [name], deliver=True)

    @rule(pick=st.randoms(use_true_random=False), deliver=st.booleans())
    @precondition(lambda self: self.story.firing)
    def ends(self, pick: object, *, deliver: bool) -> None:
        """An alert is true no more."""
        alert, name = pick.choice(sorted(self.story.firing))  # type: ignore[attr-defined]
        self.story.change("ends", alert, [name] if name else [], deliver=deliver)

    @rule(deliver=st.booleans())
    def hold(self, *, deliver: bool) -> None:
        """The vantage is cut off."""
        self.story.change("fires", "blind", [], deliver=deliver)

    @rule(batch=st.lists(alerts(), min_size=1, max_size=4))
    def webhook(self, batch: list[AlertSeen]) -> None:
        """Anything at all, late by up to 25 s."""
        self.story.take(AlertsDelivered(tuple(self._now(one) for one in batch)))

    @rule(number=st.integers(min_value=0))
    @precondition(lambda self: self.story.heard)
    def replay(self, number: int) -> None:
        """An earlier webhook comes again."""
        old = self.story.heard[number % len(self.story.heard)]
        again = tuple(
            replace(one, seen_at=self.story.now, ends_at=min(one.ends_at, self.story.now))
            for one in old.alerts
        )
        self.story.take(AlertsDelivered(again))

    @rule(
        listed=st.lists(st.tuples(alerts(), seconds), max_size=4),
        complete=st.booleans(),
        began=st.integers(min_value=0, max_value=2),
    )
    def reading(self, listed: list[tuple[AlertSeen, int]], began: int, *, complete: bool) -> None:
        """A reading of anything, however stale, of several Alertmanagers that disagree."""
        now = self.story.now
        read = tuple(replace(self._now(one), firing=True, seen_at=now - old) for one, old in listed)
        self.story.take(AlertsRead(read, read_at=now - began, complete=complete))

    @rule(prometheus=st.booleans(), readings=st.booleans())
    def monitoring(self, *, prometheus: bool, readings: bool) -> None:
        """Prometheus and the way to Alertmanager's list come and go."""
        self.story.prometheus, self.story.readings = prometheus, readings

    # Operators.

    @rule(
        name=names,
        wish=st.sampled_from(
            ["add", "change", "rekey", "remove", "drain", "undrain", "ban", "unban", "admit", "force"]
        ),
    )
    def operate(self, name: str, wish: str) -> None:
        """An operator does something; much of it is refused."""
        number = NAMES.index(name) + 1
        events: dict[str, Event] = {
            "add": WorkerRegistered(name, spec(number)),
            "change": WorkerRegistered(name, replace(spec(number), weight=number, region="here")),
            "rekey": WorkerRegistered(name, spec(number + 10), new_key=True),
            "remove": WorkerRemoved(name),
            "drain": DrainWished(name, drain=True),
            "undrain": DrainWished(name, drain=False),
            "ban": WorkerBanned(name, banned=True),
            "unban": WorkerBanned(name, banned=False),
            "admit": WorkerAdmitted(name),
            "force": WorkerAdmitted(name, force=True),
        }
        self.story.take(events[wish])

    # Time.

    @rule(passed=st.integers(min_value=1, max_value=70))
    def wait(self, passed: int) -> None:
        """Time passes, and deadlines ring."""
        self.story.wait(passed)

    @rule(forgetting=st.booleans())
    def restart(self, *, forgetting: bool) -> None:
        """The receiver is killed and started."""
        self.story.restart(forgetting=forgetting)

    @rule(by=st.sampled_from([-7200, -600, -30, -3, 3, 30, 600, 7200]))
    def set_clock(self, by: int) -> None:
        """Somebody sets the clock."""
        self.story.now += by

    def _now(self, alert: AlertSeen) -> AlertSeen:
        now = self.story.now
        return replace(alert, starts_at=now + alert.starts_at, ends_at=now + alert.ends_at, seen_at=now)


Receiver.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, report_multiple_bugs=False
)
TestWhatAlwaysHolds = Receiver.TestCase
