"""What may be concluded from what was heard: a second opinion on the core, by less exact but simpler rules.

The core must not take a worker out or let it in without what is asked for here. That it does so with it is told by
the timelines.
"""

from dataclasses import dataclass, field

from failover_receiver.state import (
    Action,
    AlertsDelivered,
    AlertSeen,
    AlertsRead,
    Event,
    Policy,
    State,
    WorkerAdmitted,
)


@dataclass
class Heard:
    """One alert, by its fingerprint."""

    action: Action
    worker: str | None
    starts_at: float
    at: float = 0.0
    """When it was last told to be firing."""
    ends: list[float] = field(default_factory=list)
    """When it ended, as it was told since."""
    overruled: bool = False


@dataclass
class Evidence:
    """Everything that was told since the beginning."""

    policy: Policy
    alerts: dict[str, Heard] = field(default_factory=dict)
    read_at: float = 0.0

    def hear(self, event: Event, now: float) -> None:
        """Take in one event."""
        self._not_ahead(now)
        match event:
            case AlertsDelivered(alerts):
                reading = now - self.read_at < self.policy.watchdog_timeout
                for seen in sorted(alerts, key=lambda one: one.starts_at):
                    if not (reading and seen.action is Action.WATCHDOG):
                        self._hear(seen, now, self.policy.late_delivery)
            case AlertsRead():
                self._read(event, now)
            case WorkerAdmitted(name, force=True) if self.may_fail(name, now):
                for heard in self._of(name, Action.FAILOVER):
                    heard.overruled = True
        self._forget(now)

    def gone(self, worker: str) -> None:
        """It was removed, or begins anew with another key: what was heard of it says nothing any more."""
        self.alerts = {key: heard for key, heard in self.alerts.items() if heard.worker != worker}

    def restarted(self, state: State) -> None:
        """Forget what the receiver has forgotten."""
        for fingerprint, alert in state.alerts.items():
            self.alerts[fingerprint].at = alert.heard_at
        self.read_at = state.read_at

    def may_fail(self, worker: str, now: float) -> bool:
        """An alert that takes this worker out fires, and no operator has overruled it."""
        return any(
            not heard.ends and not heard.overruled and now < heard.at + self.policy.alert_lifetime
            for heard in self._of(worker, Action.FAILOVER)
        )

    def may_return(self, worker: str, now: float) -> bool:
        """An alert that admits this worker fires, and was heard after all that took it out had ended."""
        lifetime = self.policy.alert_lifetime
        downs = [down for down in self._of(worker, Action.FAILOVER) if not down.overruled]
        over = [min([down.at + lifetime, *down.ends]) for down in downs]
        return 0.0 < self.heard_up(worker, now) >= max(over, default=0.0)

    def may_take_back(self, worker: str, now: float) -> bool:
        """The alert that admits this worker was heard for the last time before one that took it out had ended."""
        downs = [down for down in self._of(worker, Action.FAILOVER) if not down.overruled]
        over = [max(down.ends or [down.at + self.policy.alert_lifetime]) for down in downs]
        return 0.0 < self.heard_up(worker, now) < max(over, default=0.0)

    def heard_up(self, worker: str, now: float) -> float:
        """When the alert that admits this worker was last heard, if it fires; else 0."""
        ups = [up.at for up in self._of(worker, Action.ADMIT) if not up.ends]
        return max((at for at in ups if now < at + self.policy.alert_lifetime), default=0.0)

    def may_believe(self, now: float) -> bool:
        """The Watchdog is heard, and no vantage says that it sees nothing."""
        lifetime, timeout = self.policy.alert_lifetime, self.policy.watchdog_timeout
        held = any(not hold.ends and now < hold.at + lifetime for hold in self._of(None, Action.HOLD))
        return any(now < one.at + timeout for one in self._of(None, Action.WATCHDOG)) and not held

    def spared(self, worker: str, now: float) -> bool:
        """An alert that says it has too much to do fires."""
        spares = [one for one in self._of(worker, Action.SPARE) if not one.ends]
        return any(now < one.at + self.policy.alert_lifetime for one in spares)

    def monitored(self, worker: str, now: float) -> bool:
        """Something was heard of it, firing, within the time that it may be silent."""
        said = self._of(worker, Action.ADMIT) + self._of(worker, Action.FAILOVER)
        return any(now < one.at + self.policy.worker_silence for one in said)

    def _read(self, reading: AlertsRead, now: float) -> None:
        for seen in reading.alerts:
            self._hear(seen, now, late=0.0)
        present = {seen.fingerprint for seen in reading.alerts}
        for fingerprint, heard in self.alerts.items():
            absent = reading.complete and fingerprint not in present
            if absent and heard.at < reading.read_at and not heard.ends:
                heard.ends.append(reading.read_at)
        self.read_at = max(self.read_at, reading.read_at)

    def _hear(self, seen: AlertSeen, now: float, late: float) -> None:
        began = min(seen.starts_at, now)  # Whatever another clock says.
        if not seen.firing:
            began = min(began, seen.ends_at)
        known = seen.fingerprint in self.alerts
        heard = self.alerts.setdefault(seen.fingerprint, Heard(seen.action, seen.worker, began))
        if not seen.firing:
            earlier = seen.ends_at < heard.starts_at or seen.ends_at + late < heard.at
            if not (known and earlier):
                heard.ends.append(seen.ends_at)
        elif not heard.ends or began > max(heard.ends) or seen.seen_at > max(heard.ends) + late:
            heard.overruled = heard.overruled and not heard.ends
            heard.ends.clear()
            heard.at = max(heard.at, seen.seen_at)
        heard.starts_at = max(heard.starts_at, began)

    def _of(self, worker: str | None, action: Action) -> list[Heard]:
        return [one for one in self.alerts.values() if one.worker == worker and one.action is action]

    def _not_ahead(self, now: float) -> None:
        """The clock was set back: nothing was heard, or has ended, in the future."""
        for heard in self.alerts.values():
            heard.at = min(heard.at, now)
            heard.ends = [min(end, now) for end in heard.ends]
            heard.starts_at = min(heard.starts_at, now)
        self.read_at = min(self.read_at, now)

    def _forget(self, now: float) -> None:
        """What ended long ago is not remembered, should the clock be set back to then."""
        ended = {
            key: max([one.at, *(one.ends or [one.at + self.policy.alert_lifetime])])
            for key, one in self.alerts.items()
        }
        self.alerts = {
            key: one for key, one in self.alerts.items() if now - ended[key] <= self.policy.flap_window
        }
