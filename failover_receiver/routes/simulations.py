"""What if: plays events on the receiver's state, and keeps nothing of it."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, model_validator

from failover_receiver.access import Role
from failover_receiver.alerts import PER_WORKER
from failover_receiver.receiver import Receiver
from failover_receiver.simulation import (
    LONGEST_SECONDS,
    Change,
    Heard,
    Ordered,
    PrometheusDies,
    Simulation,
    Step,
    Verdict,
    Wait,
    simulate,
    verdicts,
)
from failover_receiver.state import (
    Action,
    DrainWished,
    Event,
    State,
    WorkerAdmitted,
    WorkerBanned,
    WorkerRemoved,
)

# The limit also makes pydantic check that it is Unicode: half a surrogate pair cannot be answered.
Text = Annotated[str, Field(max_length=65536)]
Seconds = Annotated[float, Field(ge=0, le=LONGEST_SECONDS)]
MOST_STEPS, MOST_ALERTS = 1_000, 10_000
"""Of one simulation: it is computed beside the real decisions, and must not hold them up."""


class Do(StrEnum):
    """What a step may be."""

    DOWN = "down"
    DEGRADED = "degraded"
    OVERLOADED = "overloaded"
    UP = "up"
    DRAIN = "drain"
    UNDRAIN = "undrain"
    BAN = "ban"
    UNBAN = "unban"
    ADMIT = "admit"
    REMOVE = "remove"
    ALERTS = "alerts"
    WAIT = "wait"
    PROMETHEUS_DEAD = "prometheus-dead"


_COMMANDS: Mapping[Do, Callable[[str], Event]] = {
    Do.DRAIN: lambda name: DrainWished(name, drain=True),
    Do.UNDRAIN: lambda name: DrainWished(name, drain=False),
    Do.BAN: lambda name: WorkerBanned(name, banned=True),
    Do.UNBAN: lambda name: WorkerBanned(name, banned=False),
    Do.ADMIT: WorkerAdmitted,
    Do.REMOVE: WorkerRemoved,
}
_NEEDED: Mapping[Do, str] = {Do.ALERTS: "alerts", Do.WAIT: "seconds", Do.PROMETHEUS_DEAD: "do"}


class AlertBody(BaseModel):
    """An alert of a webhook or of Alertmanager's list; when it began and ended is of no interest here."""

    status: Literal["firing", "resolved"] = "firing"
    labels: dict[Text, Text]


class StepBody(BaseModel):
    """One thing that happens."""

    model_config = ConfigDict(extra="forbid")

    do: Do
    workers: list[str] = Field(default=[], max_length=MOST_STEPS)
    seconds: Seconds | None = None
    alerts: list[AlertBody] | None = Field(default=None, max_length=MOST_ALERTS)
    at: Seconds | None = None
    """Not before this many seconds from now."""

    @model_validator(mode="after")
    def _is_whole(self) -> "StepBody":
        field = _NEEDED.get(self.do, "workers")
        if getattr(self, field) in (None, []):
            raise ValueError(f"{self.do} needs {field}")
        return self


class SimulationBody(BaseModel):
    """What to play."""

    model_config = ConfigDict(extra="forbid")

    steps: list[StepBody] = Field(min_length=1, max_length=MOST_STEPS)
    assume_live: bool = False
    """As if monitoring were heard now, though it is blind."""


def routes(receiver: Receiver) -> APIRouter:
    """`POST /v1/simulations`, for operators only."""
    router = APIRouter(prefix="/v1", dependencies=[Depends(receiver.allow(Role.OPERATOR))])

    @router.post("/simulations")
    def play(body: SimulationBody) -> dict[str, Any]:
        """What would be decided. Nothing is stored, published or logged."""
        state, now = receiver.driver.state, receiver.driver.clock()
        ignored: list[dict[str, str]] = []
        steps = [_step(one, state, ignored) for one in body.steps]
        clients = receiver.clients().on
        played = simulate(
            state,
            steps,
            now=now,
            policy=receiver.driver.policy,
            clients=clients,
            assume_live=body.assume_live,
        )
        return {**_told(state, played, clients), "ignored": ignored}

    return router


def _step(body: StepBody, state: State, ignored: list[dict[str, str]]) -> Step:
    named = f"{body.do} {', '.join(body.workers)}".strip()
    match body.do:
        case Do.WAIT:
            return Step(f"wait {body.seconds:g} s", Wait(body.seconds or 0.0), body.at)
        case Do.PROMETHEUS_DEAD:
            return Step("Prometheus dies", PrometheusDies(), body.at)
        case Do.ALERTS:
            changes = [_change(alert, state, ignored) for alert in body.alerts or ()]
            heard = tuple(change for change in changes if change is not None)
            return Step(_summary(heard), Heard(heard), body.at)
        case _ if body.do in _COMMANDS:
            return Step(named, Ordered(tuple(map(_COMMANDS[body.do], body.workers))), body.at)
        case _:
            return Step(named, verdicts(Verdict(body.do), body.workers), body.at)


def _change(alert: AlertBody, state: State, ignored: list[dict[str, str]]) -> Change | None:
    """What it would mean to the receiver; None, with the reason, if nothing."""
    name, wish, worker = (alert.labels.get(label, "") for label in ("alertname", "action", "worker"))
    if wish not in set(Action):
        reason = f"label action is {wish!r}, this receiver acts on {', '.join(Action)}"
    elif Action(wish) in PER_WORKER and worker not in state.workers:
        reason = f"label worker is {worker!r}, registered are: {', '.join(sorted(state.workers)) or 'none'}"
    else:
        about = worker if Action(wish) in PER_WORKER else None
        return Change(name, Action(wish), about, firing=alert.status == "firing")
    ignored.append({"alertname": name, "reason": reason})
    return None


def _summary(changes: tuple[Change, ...]) -> str:
    said = [
        f"{one.name}{f' {one.worker}' if one.worker else ''} {'fires' if one.firing else 'ends'}"
        for one in changes
    ]
    return (
        ", ".join(said[:3]) + (f" and {len(said) - 3} more" if len(said) > 3 else "")
        or "no alert that counts"
    )


def _told(before: State, played: Simulation, clients: Mapping[str, int]) -> dict[str, Any]:
    was = {worker.name: worker.state for worker in before.published}
    return {
        "fleet": before.fleet,
        "steps": [
            {
                "at": round(outcome.at, 3),
                "step": outcome.said,
                "decided": [
                    {
                        "at": round(one.at, 3),
                        "worker": one.worker,
                        "before": one.before,
                        "after": one.after,
                        "reason": one.reason,
                    }
                    for one in outcome.decisions
                ],
                "refused": outcome.refused,
            }
            for outcome in played.outcomes
        ],
        "monitoring": played.state.monitoring,
        "frozen_by": played.frozen_by,
        "workers": {
            worker.name: {
                "before": was.get(worker.name),
                "state": worker.state,
                "reason": worker.reason,
                "clients": clients.get(worker.name, 0),
                "must_move": played.must_move.get(worker.name, 0),
            }
            for worker in played.state.published
        },
        "must_move": sum(played.must_move.values()),
        "warnings": [{"warning": kind, "text": text} for kind, text in played.warnings.items()],
    }
