"""What would be decided if these things happened: the core itself, played forward from a state that is then forgotten.

Monitoring is thought of as it is now: while it lives, what fires goes on firing and the Watchdog keeps coming. Only an
alert that a step names begins or ends.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from failover_receiver.core import frozen_by, next_deadline, step
from failover_receiver.state import (
    USABLE,
    Action,
    Alert,
    AlertsDelivered,
    AlertSeen,
    AlertsRead,
    Decided,
    Event,
    Policy,
    Reason,
    RefusedError,
    State,
    Tick,
    Worker,
)
from wgfleet.peerset import WorkerState

LONGEST_SECONDS = 3600.0
"""Of all waiting together. By then every hold-down is over, and the failures of now count no more."""

INSTANT = 0.001
"""Seconds between two steps: what ends and begins in the same instant would be one thing to the core."""

LEFT = frozenset({WorkerState.DOWN, WorkerState.DRAINING, WorkerState.BANNED})
"""The states of workers that clients leave."""


class Verdict(StrEnum):
    """What the alert rules say of a worker."""

    DOWN = "down"
    DEGRADED = "degraded"
    UP = "up"
    OVERLOADED = "overloaded"


_ALERTS: Mapping[Verdict, tuple[str, Action]] = {
    Verdict.DOWN: ("WireGuardWorkerDown", Action.FAILOVER),
    Verdict.DEGRADED: ("WireGuardWorkerDegraded", Action.FAILOVER),
    Verdict.UP: ("WireGuardWorkerUp", Action.ADMIT),
    Verdict.OVERLOADED: ("WireGuardWorkerOverloaded", Action.SPARE),
}
_EXCLUSIVE = frozenset({Verdict.DOWN, Verdict.DEGRADED, Verdict.UP})
"""Of these only one fires for a worker: the rules exclude each other."""

WATCHDOG = ("Watchdog", Action.WATCHDOG)


@dataclass(frozen=True, slots=True)
class Change:
    """An alert begins to fire, or ends."""

    name: str
    action: Action
    worker: str | None
    firing: bool = True


@dataclass(frozen=True, slots=True)
class Heard:
    """Alerts change, all at once."""

    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Ordered:
    """Operators' commands."""

    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Time passes."""

    seconds: float


@dataclass(frozen=True, slots=True)
class PrometheusDies:
    """From here on nothing is repeated, the Watchdog neither."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens, after those before it."""

    said: str
    """In the asker's words."""
    what: Heard | Ordered | Wait | PrometheusDies
    at: float | None = None
    """Not before this many seconds from now."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What would be decided, and when, in seconds from now."""

    at: float
    worker: str
    before: WorkerState | None
    after: WorkerState | None
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What follows from one step."""

    at: float
    said: str
    decisions: tuple[Decision, ...]
    refused: str | None = None
    """Why a command would not be carried out; those before it were."""


class Warned(StrEnum):
    """What an operator should know before it happens."""

    BLIND_NOW = "blind_now"
    BLIND = "blind"
    TOO_MANY_DOWN = "too_many_down"
    NONE_SERVES = "none_serves"


@dataclass(frozen=True, slots=True)
class Simulation:
    """All that would happen."""

    outcomes: tuple[Outcome, ...]
    state: State
    """At the end."""
    frozen_by: str | None
    """Why alerts would move nothing at the end."""
    must_move: Mapping[str, int]
    """Clients that would leave each worker, whether or not it comes back."""
    warnings: Mapping[Warned, str]


def verdicts(verdict: Verdict, workers: Iterable[str]) -> Heard:
    """The rules say this of these workers, and of none of them what it excludes."""
    others = _EXCLUSIVE - {verdict} if verdict in _EXCLUSIVE else frozenset()
    return Heard(
        tuple(
            Change(*_ALERTS[each], worker, firing=each is verdict)
            for worker in workers
            for each in (verdict, *sorted(others))
        )
    )


def simulate(
    state: State,
    steps: Sequence[Step],
    *,
    now: float,
    policy: Policy,
    clients: Mapping[str, int] | None = None,
    assume_live: bool = False,
) -> Simulation:
    """Play the steps in their order.

    Raises:
        RefusedError: a step names a worker that is not registered, or they take too long.

    """
    _check(state, steps)
    play = _Play(state, now, policy, assume_live)
    outcomes = [*play.begin(), *(outcome for step in steps for outcome in play.take(step))]
    end = play.state
    frozen = frozen_by(end, play.now, policy)
    moving = dict(_moving(state, outcomes, clients or {}))
    warnings = dict(_warnings(outcomes, end, frozen, blind_now=play.blind_now))
    return Simulation(tuple(outcomes), end, frozen, moving, warnings)


def _check(state: State, steps: Sequence[Step]) -> None:
    seconds = sum(one.what.seconds for one in steps if isinstance(one.what, Wait))
    seconds += max((one.at or 0.0 for one in steps), default=0.0)
    if seconds > LONGEST_SECONDS:
        raise RefusedError(
            f"the steps take {seconds:g} s, at most {LONGEST_SECONDS:g} s can be played: wait less"
        )
    named = {
        change.worker
        for one in steps
        if isinstance(one.what, Heard)
        for change in one.what.changes
        if change.worker is not None
    }
    for name in sorted(named - state.workers.keys()):
        there = ", ".join(sorted(state.workers)) or "none"
        raise RefusedError(f"there is no worker {name!r}; registered: {there}")


@dataclass
class _Play:
    """The state as it moves, and what fires in the world outside."""

    state: State
    now: float
    policy: Policy
    assume_live: bool
    blind_now: str | None = None
    firing: dict[str, AlertSeen] = field(default_factory=dict)
    """By fingerprint."""

    def __post_init__(self) -> None:
        self.start = self.now
        self.blind_now = frozen_by(self.state, self.now, self.policy)
        self.live = self.assume_live or not self._is_silent()
        for fingerprint, alert in self.state.alerts.items():
            if self._lives(alert):
                self.firing[fingerprint] = self._seen(fingerprint, alert.name, alert.action, alert.worker)
        if self.assume_live:
            self._revive()

    def _revive(self) -> None:
        """Let fire what would, if all stood as it was heard last: nothing holds, each worker has its verdict."""
        self.firing = {key: one for key, one in self.firing.items() if one.action is not Action.HOLD}
        judged = {one.worker for one in self.firing.values() if one.action is not Action.SPARE}
        assumed = [
            Change(*_ALERTS[_last_verdict(worker)], name)
            for name, worker in self.state.workers.items()
            if worker.proven and name not in judged
        ]
        for change in (Change(*WATCHDOG, None), *assumed):
            tuple(self._change(change))

    def begin(self) -> Iterator[Outcome]:
        """What is due already, if anything is."""
        decisions = self._happen(self._reading())
        if decisions:
            yield Outcome(0.0, "now, with monitoring live" if self.assume_live else "now", decisions)

    def take(self, taken: Step) -> Iterator[Outcome]:
        """What follows from the step, and before it from the time until then."""
        until = max(self.now, self.start + (taken.at or 0.0))
        passed = self._pass(until)
        if passed:
            yield Outcome(until - self.start, f"until {taken.said}", passed)
        if isinstance(taken.what, Wait):
            passed = self._pass(self.now + taken.what.seconds)
            yield Outcome(self.now - self.start, taken.said, passed)
            return
        self.now += INSTANT
        decisions: list[Decision] = []
        refused = None
        try:
            for event in self._events(taken.what):
                decisions += self._happen(event)
        except RefusedError as error:
            refused = str(error)
        yield Outcome(self.now - self.start, taken.said, tuple(decisions), refused)

    def _events(self, what: Heard | Ordered | PrometheusDies) -> tuple[Event, ...]:
        match what:
            case Ordered(events):
                return events
            case PrometheusDies():
                self.live = False
                return (Tick(),)
            case Heard(changes):
                told = tuple(seen for change in changes for seen in self._change(change))
                return (AlertsDelivered(told),)

    def _pass(self, until: float) -> tuple[Decision, ...]:
        decisions: list[Decision] = []
        while self.now < until:
            deadline = next_deadline(self.state, self.policy, now=self.now) or until
            self.now = min(until, deadline)
            decisions += self._happen(self._reading())
        return tuple(decisions)

    def _happen(self, event: Event) -> tuple[Decision, ...]:
        self.state, effects = step(self.state, event, now=self.now, policy=self.policy)
        at = self.now - self.start
        return tuple(
            Decision(at, one.worker, one.before, one.after, one.reason)
            for one in effects
            if isinstance(one, Decided)
        )

    def _reading(self) -> Event:
        """What the receiver would read in Alertmanager now; without Prometheus there is nothing new in it."""
        if not self.live:
            return Tick()
        self.firing = {
            key: replace(one, seen_at=self.now, ends_at=self.now) for key, one in self.firing.items()
        }
        return AlertsRead(tuple(self.firing.values()), self.now, complete=True)

    def _change(self, change: Change) -> Iterator[AlertSeen]:
        """Let an alert fire or end; what is then heard of it."""
        about = (change.name, change.worker)
        known = [key for key, one in self.firing.items() if (one.name, one.worker) == about]
        for key in known or [f"simulated/{change.name}/{change.worker or ''}"]:
            was = self.firing.pop(key, None)
            seen = was or self._seen(key, change.name, change.action, change.worker)
            if change.firing:
                self.firing[key] = seen
            yield replace(seen, firing=change.firing, seen_at=self.now, ends_at=self.now)

    def _seen(self, fingerprint: str, name: str, action: Action, worker: str | None) -> AlertSeen:
        known = self.state.alerts.get(fingerprint)
        begun = known.starts_at if known is not None and self._lives(known) else self.now
        return AlertSeen(
            fingerprint,
            name,
            action,
            worker,
            firing=True,
            starts_at=begun,
            ends_at=self.now,
            seen_at=self.now,
        )

    def _lives(self, alert: Alert) -> bool:
        return alert.ended_at is None and self.now < alert.heard_at + self.policy.alert_lifetime

    def _is_silent(self) -> bool:
        heard = [alert.heard_at for alert in self.state.alerts.values() if alert.action is Action.WATCHDOG]
        return self.now >= max(heard, default=0.0) + self.policy.watchdog_timeout


def _last_verdict(worker: Worker) -> Verdict:
    if worker.failed_at is None or worker.up_since is not None:
        return Verdict.UP
    return Verdict.DEGRADED if worker.degraded else Verdict.DOWN


def _moving(
    before: State, outcomes: Sequence[Outcome], clients: Mapping[str, int]
) -> Iterator[tuple[str, int]]:
    left = {
        one.worker
        for all_of in outcomes
        for one in all_of.decisions
        if one.before not in LEFT and (one.after is None or one.after in LEFT)
    }
    for worker in before.published:
        yield worker.name, clients.get(worker.name, 0) if worker.name in left else 0


def _warnings(
    outcomes: Sequence[Outcome], end: State, frozen: str | None, *, blind_now: str | None
) -> Iterator[tuple[Warned, str]]:
    if blind_now is not None:
        yield (
            Warned.BLIND_NOW,
            f"monitoring is blind now ({blind_now}): alerts move nothing until it is heard again",
        )
    elif frozen is not None:
        yield Warned.BLIND, f"monitoring would be blind ({frozen}): alerts would move nothing from then on"
    doubted = {
        one.worker for all_of in outcomes for one in all_of.decisions if one.reason == Reason.TOO_MANY_DOWN
    }
    if doubted:
        yield (
            Warned.TOO_MANY_DOWN,
            f"too many at once: {', '.join(sorted(doubted))} would become suspect, and clients judge by their own probes",
        )
    if not any(worker.state in USABLE for worker in end.published):
        yield Warned.NONE_SERVES, "no worker would serve"
