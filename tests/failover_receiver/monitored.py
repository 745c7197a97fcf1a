"""A watched story with two Prometheis and two clustered Alertmanagers, which need not agree, nor deliver in time."""

from dataclasses import dataclass, field, replace

from failover_receiver.state import AlertsDelivered, AlertSeen, AlertsRead
from tests.failover_receiver.story import FORGET, READ_EVERY, RESEND, START, Held, Key
from tests.failover_receiver.watched import Watched

WATCHDOG = ("watchdog", "")


@dataclass
class Prometheus:
    """What one of them finds true, since when."""

    alive: bool = True
    firing: dict[Key, float] = field(default_factory=dict)


@dataclass
class Alertmanager:
    """What one of them holds, and how it gets through."""

    held: dict[Key, Held] = field(default_factory=dict)
    posts: bool = True
    """Its webhooks arrive."""
    delay: int = 0
    """Seconds that they take."""
    listed: bool = True
    """Its list can be read."""


@dataclass
class Monitored(Watched):
    """Everything is told by both Prometheis to both Alertmanagers."""

    prometheis: tuple[Prometheus, ...] = field(default_factory=lambda: (Prometheus(), Prometheus()))
    alertmanagers: tuple[Alertmanager, ...] = field(default_factory=lambda: (Alertmanager(), Alertmanager()))
    under_way: list[tuple[float, AlertSeen]] = field(default_factory=list)
    """Webhooks that have not arrived yet, and when they will."""

    def fire(self, who: int, alert: str, names: list[str]) -> None:
        """One Prometheus finds an alert true."""
        for name in names:
            self.prometheis[who].firing[alert, name] = self.now
            self._send((alert, name), self.now)

    def end(self, who: int, alert: str, names: list[str]) -> None:
        """One Prometheus finds it true no more, whatever the other says."""
        for name in names:
            started = self.prometheis[who].firing.pop((alert, name), None)
            if started is not None:
                for one in self.alertmanagers:
                    self._forget(one, (alert, name), self.now)

    def _send(self, key: Key, started: float) -> None:
        for one in self.alertmanagers:
            known = one.held.get(key)
            if known is None:
                one.held[key] = Held(started, self.now)
                self._post(one, self._seen(key, started, None, self.now))
            else:
                known.updated_at = self.now

    def _forget(self, one: Alertmanager, key: Key, ended: float) -> None:
        held = one.held.pop(key, None)
        if held is not None:
            self._post(one, self._seen(key, held.starts_at, ended, self.now))

    def _post(self, one: Alertmanager, seen: AlertSeen) -> None:
        if one.posts and one.delay:
            self.under_way.append((self.now + one.delay, seen))
        elif one.posts:
            self.take(AlertsDelivered((seen,)))

    def _monitor(self) -> None:
        elapsed = self.now - START
        if elapsed % RESEND == 0:
            for prometheus in self.prometheis:
                for key, started in (
                    {**prometheus.firing, WATCHDOG: START}.items() if prometheus.alive else ()
                ):
                    self._send(key, started)
        for one in self.alertmanagers:
            for key, held in list(one.held.items()):
                if self.now >= held.updated_at + FORGET:  # The false `resolved`: only Prometheus is silent.
                    self._forget(one, key, held.updated_at + FORGET)
        arrived = tuple(replace(seen, seen_at=self.now) for due, seen in self.under_way if due <= self.now)
        self.under_way = [(due, seen) for due, seen in self.under_way if due > self.now]
        if arrived:
            self.take(AlertsDelivered(arrived))
        if elapsed % READ_EVERY == 0:
            self._read()

    def _read(self) -> None:
        listed = [one for one in self.alertmanagers if one.listed]
        alerts = [
            self._seen(key, held.starts_at, None, held.updated_at)
            for one in listed
            for key, held in one.held.items()
        ]
        if listed:
            complete = len(listed) == len(self.alertmanagers)
            self.take(AlertsRead(tuple(alerts), read_at=self.now, complete=complete))
