"""Plays a story on the daemon's core: what happens to one client in, what was decided out.

A story is blocks of commands, each followed by `----` and what happened:

    settings KEY=VALUE ...       client, policy, and the numbers of the settings (before anything else)
    tell probes [W ...]          say each probe, and each answer, too; of these workers only (else only what changes
                                 the device is told)
    document W=STATE[/KEY=VALUE ...] ...   a newer document comes; KEY is weight, priority, key, tunnel or endpoint
                                 (several: 1+2)
    answers W ... | silent W ...           what these workers do from now on
    restarted W ...              these answer again only after their session was made anew
    slow W SECONDS               from now on its answers take so long
    loses W N                    from now on it answers each Nth probe only; 1: all of them
    traffic flows | flat         packets go out, and some come in, or none do; the counters are looked at once
    sleeps SECONDS               the daemon is stopped for so long, and answers wait for it
    held W | held nobody         the device was read: who carries the traffic
    wait SECONDS                 time passes: probes come back, deadlines ring

The client, laptop-9, prefers w1, then w2, w3 and w4, all else being equal. Every worker answers until the story says
something else. An answer takes 0.02 s.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from client_sync.choice import Policy
from client_sync.core import next_deadline, step
from client_sync.state import (
    Answered,
    Configure,
    Counted,
    Effect,
    Event,
    Held,
    Probe,
    Received,
    Recreate,
    Redirect,
    Settings,
    State,
    Tick,
)
from tests.client_sync.samples import peer_set, public_key, worker
from wgfleet.peerset import PublishedWorker, WorkerState

ROUND_TRIP = 0.02
READ: Mapping[str, Callable[[str], Any]] = {
    "client": str,
    "policy": Policy,
    "local_failover": "yes".__eq__,
    "is_vantage": "yes".__eq__,
    "silent_after": int,
    "recreate_after": int,
}
"""How a setting's word is read; the others are seconds."""
START = 1000.0
"""Stories begin at t=0 of their own; a clock that is not zero keeps never and zero apart."""


def published(words: str) -> PublishedWorker:
    """`w2=draining/weight=50` as a worker. One with another key or endpoint is at another place."""
    name_and_state, *others = words.split("/")
    name, state = name_and_state.split("=")
    found = worker(int(name.removeprefix("w")), WorkerState(state))
    for key, value in (other.split("=") for other in others):
        match key:
            case "weight":
                found = replace(found, weight=int(value))
            case "priority":
                found = replace(found, priority=int(value))
            case "endpoint":
                found = replace(found, endpoints=tuple(f"198.51.100.{one}:51820" for one in value.split("+")))
            case "tunnel":
                found = replace(found, tunnel_addresses=(f"10.98.0.{value}",))
            case "key":
                found = replace(found, public_key=public_key(int(value)))
            case _:
                raise ValueError(f"no such field of a worker: {key!r}")
    return found


@dataclass
class Story:
    """The core, and the fleet that its probes find."""

    settings: Settings = field(default_factory=lambda: Settings("laptop-9"))
    state: State = field(default_factory=State)
    now: float = START
    generation: int = 0
    silent: set[str] = field(default_factory=set)
    restarted: set[str] = field(default_factory=set)
    slow: dict[str, float] = field(default_factory=dict)
    loses: dict[str, int] = field(default_factory=dict)
    under_way: list[tuple[float, int, Answered]] = field(default_factory=list)
    """Probes that will have come back at a time."""
    asked: int = 0
    asked_of: Counter[str] = field(default_factory=Counter)
    """Probes that each worker was sent."""
    tells_probes: bool = False
    told: set[str] | None = None
    """The workers whose probes are told; None: all."""
    said: list[str] = field(default_factory=list)

    def run(self, command: str) -> None:
        """Carry out one line."""
        words = command.split()
        if not (self._tells(words) or self._workers_do(words) or self._happens(words)):
            raise ValueError(f"no such command: {command!r}")

    def _tells(self, words: list[str]) -> bool:
        match words:
            case ["settings", *pairs]:
                for key, value in (pair.split("=") for pair in pairs):
                    self.settings = replace(self.settings, **{key: READ.get(key, float)(value)})
            case ["tell", "probes", *names]:
                self.told = set(names) or None
                self.tells_probes = True
            case _:
                return False
        return True

    def _workers_do(self, words: list[str]) -> bool:
        match words:
            case ["answers", *names]:
                self.silent -= set(names)
                self.restarted -= set(names)
            case ["silent", *names]:
                self.silent |= set(names)
            case ["restarted", *names]:
                self.silent -= set(names)
                self.restarted |= set(names)
            case ["slow", name, seconds]:
                self.slow[name] = float(seconds)
            case ["loses", name, number]:
                self.loses[name] = int(number)
            case _:
                return False
        return True

    def _happens(self, words: list[str]) -> bool:
        match words:
            case ["document", *workers]:
                self.generation += 1
                self.take(Received(peer_set(*map(published, workers), generation=self.generation)))
            case ["held", name]:
                self.take(Held(None if name == "nobody" else name))
            case ["traffic", "flows" | "flat" as how]:
                self.take(Counted(sent=True, received=how == "flows"))
            case ["sleeps", seconds]:
                self.now = round(self.now + float(seconds), 6)
            case ["wait", seconds]:
                self.wait(float(seconds))
            case _:
                return False
        return True

    def take(self, event: Event) -> None:
        """Let the core decide, and note what it decided."""
        before = self.state.active
        self.state, effects = step(self.state, event, now=self.now, settings=self.settings)
        for effect in effects:
            self._carry_out(effect, before)

    def wait(self, seconds: float) -> None:
        """Time passes: whatever is next happens next."""
        end = round(self.now + seconds, 6)
        while (at := self._next()) is not None and at <= end:
            self.now = max(self.now, at)
            if self.under_way and self.under_way[0][0] <= at:
                _, _, answered = heapq.heappop(self.under_way)
                self._tell(answered.worker, "{} answers")
                self.take(answered)
            else:
                self.take(Tick())
        self.now = end

    def _next(self) -> float | None:
        deadline = next_deadline(self.state, now=self.now, settings=self.settings)
        times = [at for at, _, _ in self.under_way[:1]] + ([] if deadline is None else [deadline])
        return min(times, default=None)

    def _carry_out(self, effect: Effect, before: str | None) -> None:
        match effect:
            case Configure(active, None):
                self._say(f"configure, active {active or '(none)'}")
            case Configure(active, reason):
                self._say(f"move {before or '(none)'} -> {active or '(none)'} ({reason})")
            case Recreate(name):
                self._say(f"recreate {name}")
                self.restarted.discard(name)
            case Redirect(name):
                self._say(f"redirect {name}")
            case Probe(name, asked_at):
                self._tell(name, "probe {}")
                self.asked += 1
                self.asked_of[name] += 1
                lost = self.asked_of[name] % self.loses.get(name, 1) != 0
                if name not in self.silent | self.restarted and not lost:
                    back_at = round(self.now + self.slow.get(name, ROUND_TRIP), 6)
                    heapq.heappush(self.under_way, (back_at, self.asked, Answered(name, asked_at)))

    def _tell(self, name: str, what: str) -> None:
        if self.tells_probes and (self.told is None or name in self.told):
            self._say(what.format(name))

    def _say(self, what: str) -> None:
        self.said.append(f"{round(self.now - START, 3):g}s {what}")
