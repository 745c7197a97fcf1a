"""What Alertmanager sends and lists, to what the core understands. Unknown fields are ignored, by contract.

Sources: the webhook payload of version "4" (prometheus.io/docs/alerting/latest/configuration, webhook_config) and
`gettableAlert` of Alertmanager's API v2 (api/v2/openapi.yaml).
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, TypeAdapter
from pydantic_core import PydanticCustomError

from failover_receiver.state import Action, AlertSeen

PER_WORKER = frozenset({Action.FAILOVER, Action.ADMIT, Action.SPARE})
_ACTIONS = {action.value: action for action in Action}

# The limit also makes pydantic check that it is Unicode: half a surrogate pair can be neither kept nor answered.
Text = Annotated[str, Field(max_length=65536)]


def _known_version(value: object) -> object:
    if value != "4":
        raise PydanticCustomError(
            "version",
            "only version '4' is understood here, Alertmanager's since 0.5",
        )
    return value


class WebhookAlert(BaseModel):
    """One alert of a webhook."""

    status: Literal["firing", "resolved"]
    labels: dict[Text, Text]
    startsAt: AwareDatetime  # noqa: N815 - Alertmanager's own name.
    endsAt: AwareDatetime | None = None  # noqa: N815 - Alertmanager's own name.
    fingerprint: Text


class Webhook(BaseModel):
    """A webhook's body."""

    version: Annotated[Literal["4"], BeforeValidator(_known_version)]
    alerts: list[WebhookAlert]
    truncatedAlerts: int = 0  # noqa: N815 - Alertmanager's own name.


class ActiveAlert(BaseModel):
    """One alert that Alertmanager holds."""

    labels: dict[Text, Text]
    startsAt: AwareDatetime  # noqa: N815 - Alertmanager's own name.
    endsAt: AwareDatetime  # noqa: N815 - Alertmanager's own name.
    updatedAt: AwareDatetime  # noqa: N815 - Alertmanager's own name.
    fingerprint: Text


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
    reader = _Reader(workers, now, future_limit)
    for alert in webhook.alerts:
        # Of one that fires it is a guess of Alertmanager's, or the year 1.
        ended = alert.endsAt if alert.status == "resolved" else None
        ends_at = now if ended is None else min(ended.timestamp(), now)
        reader.take(
            alert.fingerprint, alert.labels, alert.status, alert.startsAt.timestamp(), ends_at, seen_at=now
        )
    return reader.understood


def from_active(
    active: Iterable[ActiveAlert], workers: Collection[str], *, now: float, future_limit: float
) -> Understood:
    """A reading of what Alertmanager holds; its alerts fire, and it says itself how fresh each is."""
    reader = _Reader(workers, now, future_limit)
    for alert in active:
        if "action" in alert.labels:  # The rest is for people.
            # Its clock may run ahead of ours; nothing is heard in the future.
            seen_at = min(alert.updatedAt.timestamp(), now)
            starts_at = alert.startsAt.timestamp()
            reader.take(alert.fingerprint, alert.labels, "firing", starts_at, now, seen_at=seen_at)
    return reader.understood


class _Reader:
    """Sorts the alerts of one delivery. A thousand may come at once, so each costs little."""

    def __init__(self, workers: Collection[str], now: float, future_limit: float) -> None:
        self._workers = workers
        self._now = now
        self._future_limit = future_limit
        self._seen: list[AlertSeen] = []
        self._ignored: list[Ignored] = []
        self._registered: Callable[[], str] = cache(lambda: ", ".join(sorted(workers)) or "none")

    @property
    def understood(self) -> Understood:
        return Understood(tuple(self._seen), tuple(self._ignored))

    def take(
        self,
        fingerprint: str,
        labels: dict[str, str],
        status: str,
        starts_at: float,
        ends_at: float,
        *,
        seen_at: float,
    ) -> None:
        name = labels.get("alertname", "")
        action = _ACTIONS.get(labels.get("action", ""))
        worker = labels.get("worker") if action in PER_WORKER else None
        reason = self._fault(action, worker, labels, starts_at)
        if action is None or reason is not None:
            self._ignored.append(Ignored(name, status, reason or ""))
            return
        firing = status == "firing"
        self._seen.append(AlertSeen(fingerprint, name, action, worker, firing, starts_at, ends_at, seen_at))

    def _fault(
        self, action: Action | None, worker: str | None, labels: dict[str, str], starts_at: float
    ) -> str | None:
        if action is None:
            known = ", ".join(_ACTIONS)
            return f"label action is {labels.get('action', '')!r}, this receiver acts on {known}"
        if action in PER_WORKER and worker not in self._workers:
            return f"label worker is {worker!r}, registered are: {self._registered()}"
        if starts_at > self._now + self._future_limit:
            ahead = f"{starts_at - self._now:.0f} s in the future"
            return f"startsAt is {ahead}, at most {self._future_limit:g} s are clocks that disagree"
        return None
