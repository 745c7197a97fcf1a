"""Makes the state diagram in ARCHITECTURE.md, by trying: every cause in every standing that can be reached, on the core.

`python -m tools.diagram` writes the region between the markers anew.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from failover_receiver.core import step
from failover_receiver.state import (
    Action,
    AlertsDelivered,
    AlertSeen,
    DrainWished,
    Event,
    Policy,
    RefusedError,
    State,
    WorkerAdmitted,
    WorkerBanned,
    WorkerRegistered,
    WorkerRemoved,
    WorkerSpec,
)

FILE = Path(__file__).parents[1] / "ARCHITECTURE.md"
BEGIN, END = "<!-- made by: python -m tools.diagram -->", "<!-- end -->"

LONG = 1e6
"""Seconds: a hold-down, beside which the seconds between two causes are nothing."""
POLICY = Policy(
    hold_down=LONG, hold_down_factor=1.0, hold_down_max=LONG,
    watchdog_timeout=LONG**2, alert_lifetime=LONG**2, flap_window=LONG**2, fresh_for=LONG**2,
)  # fmt: skip
"""Nothing is forgotten meanwhile, so that each change has one cause."""
START = 1e6
IT, OTHER = "it", "other"
"""The worker whose states are drawn, and all the others, for which one stands."""
ALERTS = {
    "Down": ("WireGuardWorkerDown", Action.FAILOVER),
    "Degraded": ("WireGuardWorkerDegraded", Action.FAILOVER),
    "Up": ("WireGuardWorkerUp", Action.ADMIT),
    "Overloaded": ("WireGuardWorkerOverloaded", Action.SPARE),
    "Watchdog": ("Watchdog", Action.WATCHDOG),
}

Cause = Callable[["Place"], "Place"]
Published = tuple[str, str]
"""State and reason."""


@dataclass(frozen=True)
class Place:
    """What is known, at a time."""

    state: State
    now: float

    def take(self, event: Event, *, after: float = 1.0) -> "Place":
        """Some time later, an event; a refused one changes nothing."""
        now = self.now + after
        try:
            return Place(step(self.state, event, now=now, policy=POLICY)[0], now)
        except RefusedError:
            return self

    def tell(self, alert: str, worker: str | None, *, fires: bool) -> "Place":
        """An alert begins or ends."""
        (name, action), now = ALERTS[alert], self.now + 1.0
        seen = AlertSeen(f"{alert}/{worker}", name, action, worker, fires, now if fires else START, now, now)
        return self.take(AlertsDelivered((seen,)))

    @property
    def published(self) -> Published | None:
        """What is said of it."""
        return next(
            ((one.state.value, str(one.reason)) for one in self.state.published if one.name == IT), None
        )

    @property
    def known(self) -> object:
        """All that matters later, but for the times: two places that share it are one."""
        workers = (
            (name, one.proven, one.admitted, one.monitored, one.degraded, one.drain, one.drain_own, one.banned,
             one.failed_at is None, one.up_since is None)
            for name, one in self.state.workers.items()
        )  # fmt: skip
        alerts = ((key, one.ended_at is None, one.overruled) for key, one in self.state.alerts.items())
        return frozenset(workers), frozenset(alerts)


@cache
def causes() -> dict[str, Cause]:
    """What may happen, by the word for it in the diagram."""
    return {
        **{
            f"{alert} fires": _telling(alert, fires=True)
            for alert in ("Up", "Down", "Degraded", "Overloaded")
        },
        **{
            f"{alert} ends": _telling(alert, fires=False)
            for alert in ("Up", "Down", "Degraded", "Overloaded")
        },
        "drained": lambda place: place.take(DrainWished(IT, drain=True)),
        "drain lifted": lambda place: place.take(DrainWished(IT, drain=False)),
        "drains itself": lambda place: place.take(DrainWished(IT, drain=True, own=True)),
        "is back": lambda place: place.take(DrainWished(IT, drain=False, own=True)),
        "banned": lambda place: place.take(WorkerBanned(IT, banned=True)),
        "ban lifted": lambda place: place.take(WorkerBanned(IT, banned=False)),
        "admitted": lambda place: place.take(WorkerAdmitted(IT, force=True)),
        "hold-down over": lambda place: place.take(AlertsDelivered(()), after=2 * LONG),
        "others fail": lambda place: place.tell("Down", OTHER, fires=True),
        "others serve again": lambda place: place.take(WorkerAdmitted(OTHER, force=True)),
        "removed": lambda place: place.take(WorkerRemoved(IT)),
    }


OPERATORS = frozenset({"drained", "drain lifted", "banned", "ban lifted", "admitted", "removed", "added"})
ITSELF = frozenset({"drains itself", "is back"})
"""What the worker asks for."""


@cache
def changes() -> dict[tuple[Published | None, Published | None], list[str]]:
    """Every change of what is published of it that can happen, and by what."""
    found: defaultdict[tuple[Published | None, Published | None], list[str]] = defaultdict(list)
    start = _start()
    found[None, start.published].append("added")
    seen, waiting = {start.known}, [start]
    while waiting:
        place = waiting.pop()
        for name, cause in causes().items():
            then = cause(place)
            if then.published != place.published and name not in found[place.published, then.published]:
                found[place.published, then.published].append(name)
            if then.published is not None and then.known not in seen:
                seen.add(then.known)
                waiting.append(then)
    return {change: sorted(why, key=[*causes(), "added"].index) for change, why in found.items() if why}


def region() -> str:
    """What stands between the markers."""
    return "\n".join([BEGIN, "```mermaid", *_drawn(), "```", "", *_table(), END])


def with_region(page: str) -> str:
    """The page with the region as it now is."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{FILE.name} has no region between {BEGIN} and {END}")
    return before + region() + after


def _start() -> Place:
    place = Place(State(fleet="diagram", read_at=-(LONG**3)), START).tell("Watchdog", None, fires=True)
    for number, name in enumerate((OTHER, IT)):
        place = place.take(WorkerRegistered(name, WorkerSpec(name, (), (f"10.0.0.{number}",), ())))
    return place.take(WorkerAdmitted(OTHER))


def _telling(alert: str, *, fires: bool) -> Cause:
    return lambda place: place.tell(alert, IT, fires=fires)


def _drawn() -> Iterator[str]:
    yield "stateDiagram-v2"
    edges: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for (before, after), why in changes().items():
        if after is not None and (before is None or before[0] != after[0]):
            edges["[*]" if before is None else before[0], after[0]] += why
    order = list(causes())
    for (before_state, after_state), why in sorted(edges.items()):
        said = ", ".join(sorted(set(why), key=lambda cause: order.index(cause) if cause in order else -1))
        yield f"    {before_state} --> {after_state} : {said}"


def _table() -> Iterator[str]:
    came: defaultdict[Published, set[str]] = defaultdict(set)
    for (_, after), why in changes().items():
        if after is not None:
            came[after].update(why)
    yield "| published | reason | by alerts or the clock | by an operator | by itself |"
    yield "|---|---|---|---|---|"
    for (state, reason), by in sorted(came.items()):
        told = ", ".join(cause for cause in causes() if cause in by - OPERATORS - ITSELF) or "-"
        asked = ", ".join(cause for cause in ("added", *causes()) if cause in by & OPERATORS) or "-"
        own = ", ".join(cause for cause in causes() if cause in by & ITSELF) or "-"
        yield f"| `{state}` | `{reason}` | {told} | {asked} | {own} |"


if __name__ == "__main__":
    FILE.write_text(with_region(FILE.read_text()))
