"""What the receiver knows: values only. core.py decides with them, store.py keeps them.

Times are UNIX seconds throughout, because they outlive the process.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from wgfleet.peerset import Monitoring, PeerSet, PublishedWorker, WorkerState


class Action(StrEnum):
    """The `action` label of an alert: what its firing asks of the receiver."""

    FAILOVER = "failover"
    """Take the worker out."""
    ADMIT = "admit"
    """The worker is well: let it back in, if it was out."""
    SPARE = "spare"
    """The worker is overloaded: lower its weight while this fires, and move nobody."""
    HOLD = "hold"
    """The vantage sees nothing: move nothing."""
    WATCHDOG = "watchdog"
    """Monitoring is alive."""


class Reason(StrEnum):
    """Why a worker is in its state: the same word in the log, the metric, the API and the document."""

    REGISTERED = "registered"
    """Never heard up yet."""
    UP = "up"
    """Heard up, and nothing speaks against it."""
    ADMITTED = "admitted"
    """Let in by an operator; nothing was heard of it since."""
    OVERLOADED = "overloaded"
    """Up, with a lowered weight while an alert with the action spare fires."""
    WORKER_DOWN = "worker_down"
    """An alert with the action failover fires, or fired last."""
    WORKER_DEGRADED = "worker_degraded"
    """Likewise, by the alert that the worker's own way out fails."""
    HOLD_DOWN = "hold_down"
    """Heard up again, but not for long enough."""
    TOO_MANY_DOWN = "too_many_down"
    """Taking this one out too would leave too few: monitoring itself is in doubt."""
    DRAINED = "drained"
    """The operator's wish."""
    DRAINED_ITSELF = "drained_itself"
    """The worker's own wish: its daemon was stopped, and has not begun again."""
    BANNED = "banned"
    """The operator's order."""


USABLE = frozenset({WorkerState.SERVING, WorkerState.SUSPECT})
"""The states of workers that may be used; never is there none, but by an operator's wish."""


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """What an operator says of a worker; only operators say it."""

    public_key: str
    endpoints: tuple[str, ...]
    tunnel_addresses: tuple[str, ...]
    allowed_ips: tuple[str, ...]
    keepalive: int = 25
    mtu: int | None = None
    dns: tuple[str, ...] = ()
    weight: int = 100
    priority: int = 0
    region: str = ""
    exporter_port: int = 9586
    """Where Prometheus scrapes the worker, on the host of its first endpoint; the TCP probe's port too."""


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker: what the operator says, and what has been learnt."""

    spec: WorkerSpec
    proven: bool = False
    """Has been heard up, or was admitted, at least once."""
    admitted: bool = False
    """An operator let it in, and it has not been heard up since."""
    monitored: bool = False
    """Up, Down or Degraded was heard of it lately."""
    failed_at: float | None = None
    """When the present failure was learnt; None while there is none."""
    degraded: bool = False
    """The present failure is of the worker's way out, not of the worker."""
    up_since: float | None = None
    """When it was first heard up after its failure: hold-down counts from here."""
    failures: tuple[float, ...] = ()
    """When it failed, within the flap window."""
    drain: bool = False
    drain_own: bool = False
    """It is drained by its own wish, and by no operator's."""
    banned: bool = False


@dataclass(frozen=True, slots=True)
class Alert:
    """What is known of one alert, by its fingerprint."""

    name: str
    action: Action
    worker: str | None
    """None of those that concern no worker, Watchdog and hold, whatever their labels say."""
    starts_at: float
    heard_at: float
    """When it was last heard firing; 0 if only its end was heard."""
    ended_at: float | None = None
    overruled: bool = False
    """An operator let its worker in against it: it counts no more until it has ended and comes anew."""


@dataclass(frozen=True, slots=True)
class State:
    """All that must survive a restart."""

    fleet: str
    epoch: int = 1
    generation: int = 0
    issued_at: float = 0.0
    monitoring: Monitoring = Monitoring.BLIND
    workers: Mapping[str, Worker] = field(default_factory=dict)
    alerts: Mapping[str, Alert] = field(default_factory=dict)
    """By fingerprint."""
    read_at: float = 0.0
    """When Alertmanagers' active alerts were last read."""
    published: tuple[PublishedWorker, ...] = ()
    since: Mapping[str, float] = field(default_factory=dict)
    """When each worker's published state or reason last changed, by its name."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Every number that a decision depends on. Seconds where nothing else is said."""

    probe_interval: float = 30.0
    hold_down: float = 30.0
    """Quiet time before a recovered worker serves again."""
    hold_down_factor: float = 2.0
    """Each further failure within the flap window multiplies the hold-down by this."""
    hold_down_max: float = 600.0
    flap_window: float = 3600.0
    least_serving: float = 0.5
    """Below this part of the workers that could serve, alerts are no longer believed (the panic limit)."""
    watchdog_timeout: float = 20.0
    """Four times the resend delay of 5 s: as long as Alertmanager itself believes a silent Prometheus."""
    alert_lifetime: float = 45.0
    """A firing alert comes again within 30 s (repeat_interval) and a retry; unheard for longer, it is over."""
    late_delivery: float = 30.0
    """A webhook this soon after an alert's end may still be an older one that was retried."""
    future_limit: float = 60.0
    """An alert that starts further in the future than clocks disagree is refused."""
    fresh_for: float = 3600.0
    """How long a document is fresh; it is issued anew at half of that."""

    @property
    def worker_silence(self) -> float:
        """After this long without Up, Down or Degraded, a worker is not monitored."""
        return max(6 * self.probe_interval, self.alert_lifetime)


@dataclass(frozen=True, slots=True)
class AlertSeen:
    """One alert as it arrived, with its own labels reduced to their meaning."""

    fingerprint: str
    name: str
    action: Action
    worker: str | None
    firing: bool
    starts_at: float
    ends_at: float
    """When it ended, if it is not firing."""
    seen_at: float
    """When it was known to be so: a webhook's arrival, or Alertmanager's `updatedAt`."""


@dataclass(frozen=True, slots=True)
class AlertsDelivered:
    """A webhook's alerts: the fast way."""

    alerts: tuple[AlertSeen, ...]


@dataclass(frozen=True, slots=True)
class AlertsRead:
    """All alerts that are active in Alertmanager: the sure way."""

    alerts: tuple[AlertSeen, ...]
    read_at: float
    """When the reading began: what was heard later is not contradicted by it."""
    complete: bool
    """Every Alertmanager answered, so what is absent is over."""


@dataclass(frozen=True, slots=True)
class WorkerRegistered:
    """An operator added a worker, or changed what is said of it."""

    name: str
    spec: WorkerSpec
    new_key: bool = False
    """It is known to have another public key than before: it begins anew, as one that was never heard up."""


@dataclass(frozen=True, slots=True)
class WorkerRemoved:
    """An operator removed a worker."""

    name: str


@dataclass(frozen=True, slots=True)
class DrainWished:
    """An operator wishes a worker empty, or no longer; or the worker itself does."""

    name: str
    drain: bool
    own: bool = False
    """It is the worker's own wish: an operator's outranks it, and it never empties what may be used."""


@dataclass(frozen=True, slots=True)
class WorkerAdmitted:
    """An operator lets a worker in, without waiting for an alert or the hold-down."""

    name: str
    force: bool = False
    """Also against an alert that fires: that alert counts again once it has ended and comes anew."""


@dataclass(frozen=True, slots=True)
class WorkerBanned:
    """An operator bars a worker for good, or lifts that."""

    name: str
    banned: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """A deadline has come."""


Event = (
    AlertsDelivered
    | AlertsRead
    | WorkerRegistered
    | WorkerRemoved
    | DrainWished
    | WorkerAdmitted
    | WorkerBanned
    | Tick
)


@dataclass(frozen=True, slots=True)
class Persist:
    """Keep the state: it holds something new that a restart must not lose."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What is published of one worker changed; state None: it was not, or is no longer, there."""

    worker: str
    before: WorkerState | None
    after: WorkerState | None
    reason: str


@dataclass(frozen=True, slots=True)
class Remarked:
    """An operator's command did something that no published state shows."""

    worker: str
    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class Publish:
    """Make this document durable with the state, then show it."""

    peer_set: PeerSet


Effect = Persist | Decided | Remarked | Publish


class RefusedError(ValueError):
    """A command that cannot be carried out; the state is as it was. The text says why and what to do."""


class UnknownError(RefusedError):
    """A command for something that there is not."""
