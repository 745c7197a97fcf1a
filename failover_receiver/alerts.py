"""What Alertmanager sends and lists, to what the core understands. Unknown fields are ignored, by contract.

Sources: the webhook payload of version "4" (prometheus.io/docs/alerting/latest/configuration, webhook_config) and
`gettableAlert` of Alertmanager's API v2 (api/v2/openapi.yaml).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter

from failover_receiver.state import Action, AlertSeen

PER_WORKER = frozenset({Action.FAILOVER, Action.ADMIT, Action.SPARE})

# The limit also makes pydantic check that it is Unicode: half a surrogate pair can be neither kept nor answered.
Text = Annotated[str, Field(max_length=65536)]


class WebhookAlert(BaseModel):
    """One alert of a webhook."""

    status: Literal["firing", "resolved"]
    labels: dict[Text, Text]
    startsAt: AwareDatetime  # noqa: N815 - Alertmanager's own name.
    endsAt: AwareDatetime | None = None  # noqa: N815 - Alertmanager's own name.
    fingerprint: Text


class Webhook(BaseModel):
    """A webhook's body."""

    version: Literal["4"]
    alerts: list[WebhookAlert]
    truncatedAlerts: int = 0  # noqa: N815 - Alertmanager's own name.


class ActiveAlert(BaseModel):
    """One alert that Alertmanager holds."""

    labels: dict[str, str]
    startsAt: AwareDatetime  # noqa: N815 - Alertmanager's own name.
    endsAt: AwareDatetime  # noqa: N815 - Alertmanager's own name.
    updatedAt: AwareDatetime  # noqa: N815 - Alertmanager's own name.
    fingerprint: str


ACTIVE_ALERTS = TypeAdapter(list[ActiveAlert])


@dataclass(frozen=True, slots=True)
class Ignored:
    """An alert that changes nothing, and why."""

    name: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class Understood:
    """The alerts of one delivery or reading, sorted into what counts and what does not."""

    seen: tuple[AlertSeen, ...]
    ignored: tuple[Ignored, ...]


def from_webhook(
    webhook: Webhook, workers: Collection[str], *, now: float, future_limit: float
) -> Understood:
    """A delivery that arrived at `now`."""
    return _sort_out(
        _understand(
            alert.fingerprint,
            alert.labels,
            alert.status,
            (alert.startsAt, alert.endsAt),
            workers,
            seen_at=now,
            now=now,
            future_limit=future_limit,
        )
        for alert in webhook.alerts
    )


def from_active(
    active: Iterable[ActiveAlert], workers: Collection[str], *, now: float, future_limit: float
) -> Understood:
    """A reading of what Alertmanager holds; its alerts fire, and it says itself how fresh each is."""
    return _sort_out(
        _understand(
            alert.fingerprint,
            alert.labels,
            "firing",
            (alert.startsAt, None),
            workers,
            # Its clock may run ahead of ours; nothing is heard in the future.
            seen_at=min(alert.updatedAt.timestamp(), now),
            now=now,
            future_limit=future_limit,
        )
        for alert in active
        if "action" in alert.labels  # The rest is for people.
    )


def _sort_out(understood: Iterable[AlertSeen | Ignored]) -> Understood:
    all_of_them = tuple(understood)
    return Understood(
        tuple(one for one in all_of_them if isinstance(one, AlertSeen)),
        tuple(one for one in all_of_them if isinstance(one, Ignored)),
    )


def _understand(
    fingerprint: str,
    labels: dict[str, str],
    status: str,
    times: tuple[datetime, datetime | None],
    workers: Collection[str],
    *,
    seen_at: float,
    now: float,
    future_limit: float,
) -> AlertSeen | Ignored:
    name = labels.get("alertname", "")
    starts_at = times[0].timestamp()
    wish = labels.get("action", "")
    worker = labels.get("worker")
    if wish not in set(Action):
        known = ", ".join(Action)
        return Ignored(name, status, f"label action is {wish!r}, this receiver acts on {known}")
    action = Action(wish)
    if action in PER_WORKER and worker not in workers:
        registered = ", ".join(sorted(workers)) or "none"
        return Ignored(name, status, f"label worker is {worker!r}, registered are: {registered}")
    if starts_at > now + future_limit:
        ahead = f"{starts_at - now:.0f} s in the future"
        return Ignored(
            name, status, f"startsAt is {ahead}, at most {future_limit:g} s are clocks that disagree"
        )
    return AlertSeen(
        fingerprint=fingerprint,
        name=name,
        action=action,
        worker=worker if action in PER_WORKER else None,
        firing=status == "firing",
        starts_at=starts_at,
        ends_at=min(times[1].timestamp(), now) if times[1] is not None else now,
        seen_at=seen_at,
    )
