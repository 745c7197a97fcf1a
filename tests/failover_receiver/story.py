"""Plays a failover story on the receiver's core: commands in, what was decided out.

A story is blocks of commands, each followed by `----` and what happened:

    policy KEY=NUMBER ...        numbers of the policy (before anything else)
    add W ... | rekey W [new] | weigh W WEIGHT | remove W | drain W | undrain W | leave W | return W | ban W | unban W | admit W [force]
    fires ALERT W ...            Prometheus: the alert fires for these workers, and is delivered by webhook at once
    ends ALERT W ...             Prometheus: it fires no more; delivered as resolved at once
    quiet fires|ends ALERT W ... likewise, but no webhook comes: only a reading can tell
    deliver firing|resolved ALERT W start=T [end=T]    a webhook out of the blue: late, replayed, forged
    prometheus dies | prometheus returns
    readings stop | readings resume
    wait SECONDS                 time passes; readings come every 3 s, deadlines ring
    restart                      the receiver stops and starts with what it had kept

ALERT is down, degraded, up, overloaded or blind. The Watchdog fires while Prometheus lives.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from pydantic import TypeAdapter

from failover_receiver.core import choose, frozen_by, next_deadline, step
from failover_receiver.state import (
    Action,
    AlertsDelivered,
    AlertSeen,
    AlertsRead,
    Decided,
    DrainWished,
    Effect,
    Event,
    Policy,
    Publish,
    Reason,
    RefusedError,
    State,
    Tick,
    Worker,
    WorkerAdmitted,
    WorkerBanned,
    WorkerRegistered,
    WorkerRemoved,
    WorkerSpec,
)
from wgfleet.peerset import WorkerState

ALERTS = {
    "down": ("WireGuardWorkerDown", Action.FAILOVER),
    "degraded": ("WireGuardWorkerDegraded", Action.FAILOVER),
    "up": ("WireGuardWorkerUp", Action.ADMIT),
    "overloaded": ("WireGuardWorkerOverloaded", Action.SPARE),
    "blind": ("WireGuardVantageBlind", Action.HOLD),
    "watchdog": ("Watchdog", Action.WATCHDOG),
}
RESEND, FORGET, READ_EVERY = 5.0, 20.0, 3.0
"""Prometheus sends each alert anew every 5 s; Alertmanager lets one go 20 s after the last time."""
START = 1_000_000.0
"""Stories begin at t=0 of their own; a UNIX time that is not zero keeps absent and zero apart."""

Key = tuple[str, str]


def spec(number: int) -> WorkerSpec:
    """A worker unlike the others."""
    key = f"{number:042d}A="
    return WorkerSpec(key, (f"192.0.2.{number}:51820",), (f"10.99.0.{number}",), ("0.0.0.0/0",))


@dataclass(frozen=True)
class Core:
    """What decides: the receiver's own, or one with a fault in it."""

    step: Callable[..., tuple[State, tuple[Effect, ...]]] = step
    next_deadline: Callable[..., float | None] = next_deadline
    frozen_by: Callable[..., str | None] = frozen_by
    choose: Callable[[Mapping[str, Worker], Policy], dict[str, tuple[WorkerState, Reason]]] = choose


@dataclass
class Held:
    """An alert as Alertmanager holds it."""

    starts_at: float
    updated_at: float


@dataclass
class Story:
    """The receiver's core, and the monitoring before it."""

    policy: Policy = field(default_factory=lambda: Policy(probe_interval=1.0))
    state: State = field(default_factory=lambda: State(fleet="story"))
    now: float = START
    prometheus: bool = True
    readings: bool = True
    firing: dict[Key, float] = field(default_factory=dict)
    """What Prometheus finds true, since when."""
    held: dict[Key, Held] = field(default_factory=dict)
    """What Alertmanager holds."""
    documents: dict[tuple[int, int], bytes] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    core: Core = field(default_factory=Core)

    def run(self, command: str) -> None:
        """Carry out one line."""
        words = command.split()
        if not (self._operate(words) or self._alert(words)):
            self._pass(words)

    def _operate(self, words: list[str]) -> bool:
        match words:
            case ["add", *names]:
                for name in names:
                    self.take(WorkerRegistered(name, spec(len(self.state.workers) + 1)))
            case ["rekey", name, *new]:
                self.take(WorkerRegistered(name, spec(99), new_key=bool(new)))
            case ["weigh", name, weight]:
                known = self.state.workers[name].spec
                self.take(WorkerRegistered(name, replace(known, weight=int(weight))))
            case ["remove", name]:
                self.take(WorkerRemoved(name))
            case ["drain" | "undrain" as verb, name]:
                self.take(DrainWished(name, drain=verb == "drain"))
            case ["leave" | "return" as verb, name]:  # The worker itself, as it stops and is back.
                self.take(DrainWished(name, drain=verb == "leave", own=True))
            case ["ban" | "unban" as verb, name]:
                self.take(WorkerBanned(name, banned=verb == "ban"))
            case ["admit", name, *force]:
                self.take(WorkerAdmitted(name, force=bool(force)))
            case _:
                return False
        return True

    def _alert(self, words: list[str]) -> bool:
        match words:
            case ["quiet", "fires" | "ends" as verb, alert, *names]:
                self.change(verb, alert, names, deliver=False)
            case ["fires" | "ends" as verb, alert, *names]:
                self.change(verb, alert, names, deliver=True)
            case ["deliver", status, alert, name, *times]:
                at = {key: START + float(value) for key, value in (time.split("=") for time in times)}
                self.deliver(alert, name, at["start"], at.get("end") if status == "resolved" else None)
            case _:
                return False
        return True

    def _pass(self, words: list[str]) -> None:
        match words:
            case ["policy", *pairs]:
                numbers = {key: float(number) for key, number in (pair.split("=") for pair in pairs)}
                self.policy = replace(self.policy, **numbers)
            case ["prometheus", "dies" | "returns" as what]:
                self.prometheus = what == "returns"
            case ["readings", "stop" | "resume" as what]:
                self.readings = what == "resume"
            case ["wait", seconds]:
                self.wait(float(seconds))
            case ["restart"]:
                self.restart()
            case _:
                raise ValueError(f"no such command: {' '.join(words)!r}")

    def change(self, verb: str, alert: str, names: list[str], *, deliver: bool) -> None:
        """Prometheus changes its mind about an alert."""
        for name in names or [""]:
            key = alert, name
            if verb == "fires":
                self.firing[key] = self.now
                self.held[key] = Held(self.now, self.now)
                if deliver:
                    self.deliver(alert, name, self.now, None)
            else:
                starts_at = self.firing.pop(key)
                self.held.pop(key, None)
                if deliver:
                    self.deliver(alert, name, starts_at, self.now)

    def deliver(self, alert: str, name: str, starts_at: float, ended_at: float | None) -> None:
        """A webhook comes."""
        self.take(AlertsDelivered((self._seen((alert, name), starts_at, ended_at, self.now),)))

    def take(self, event: Event) -> None:
        """Let the core decide, and note what it decided."""
        weights = {worker.name: worker.weight for worker in self.state.published}
        try:
            self.state, effects = self.core.step(self.state, event, now=self.now, policy=self.policy)
        except RefusedError as error:
            self._say(f"refused: {error}")
            return
        for effect in effects:
            if isinstance(effect, Decided):
                before, after = effect.before or "(none)", effect.after or "(none)"
                self._say(
                    f"{effect.worker}: {before} -> {after} ({effect.reason}){self._weighed(effect, weights)}"
                )
            elif isinstance(effect, Publish):
                body = effect.peer_set.to_bytes()
                known = self.documents.setdefault(effect.peer_set.number, body)
                assert known == body, "the same number must not carry other bytes"
                why = self.core.frozen_by(self.state, self.now, self.policy)
                self._say(f"published {effect.peer_set.generation}, {why or effect.peer_set.monitoring}")

    def _weighed(self, decided: Decided, before: Mapping[str, int]) -> str:
        after = {worker.name: worker.weight for worker in self.state.published}
        was, is_now = before.get(decided.worker), after.get(decided.worker)
        return "" if None in (was, is_now) or was == is_now else f", weight {was} -> {is_now}"

    def wait(self, seconds: float) -> None:
        """Time passes, one second after the other."""
        end = self.now + seconds
        while self.now < end:
            until = min(self.now + 1.0, end)
            deadline = self.core.next_deadline(self.state, self.policy, now=self.now)
            while deadline is not None and deadline <= until:
                self.now = deadline
                self.take(Tick())
                deadline = self.core.next_deadline(self.state, self.policy, now=self.now)
            self.now = until
            self._monitor()

    def restart(self) -> None:
        """Stop and start: what was not kept is forgotten; what Alertmanager holds is read before anything is decided."""
        keeper = TypeAdapter(State)
        self.state = keeper.validate_json(keeper.dump_json(self.state))
        self.state = replace(
            self.state,
            alerts={key: replace(alert, heard_at=0.0) for key, alert in self.state.alerts.items()},
            read_at=0.0,
        )
        if self.readings:
            self._read()
        self.take(Tick())

    def _monitor(self) -> None:
        elapsed = self.now - START
        if self.prometheus and elapsed % RESEND == 0:
            for key, starts_at in {**self.firing, ("watchdog", ""): START}.items():
                held = self.held.setdefault(key, Held(starts_at, self.now))
                held.updated_at = self.now
        for key, held in list(self.held.items()):
            if self.now >= held.updated_at + FORGET:
                del self.held[key]
                # The false one: Prometheus is silent, so Alertmanager takes the alert for resolved.
                self.deliver(*key, held.starts_at, held.updated_at + FORGET)
        if self.readings and elapsed % READ_EVERY == 0:
            self._read()

    def _read(self) -> None:
        alerts = [self._seen(key, held.starts_at, None, held.updated_at) for key, held in self.held.items()]
        self.take(AlertsRead(tuple(alerts), read_at=self.now, complete=True))

    def _seen(self, key: Key, starts_at: float, ended_at: float | None, seen_at: float) -> AlertSeen:
        alert, worker = key
        name, action = ALERTS[alert]
        return AlertSeen(
            fingerprint=f"{alert}/{worker}",
            name=name,
            action=action,
            worker=None if worker in {"", "-"} else worker,
            firing=ended_at is None,
            starts_at=starts_at,
            ends_at=self.now if ended_at is None else ended_at,
            seen_at=seen_at,
        )

    def _say(self, what: str) -> None:
        self.said.append(f"{self.now - START:g}s {what}")
