"""Every metric of the receiver. Names stand here alone."""

from collections.abc import Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from failover_receiver.acks import Clients
from failover_receiver.following.reports import Reports
from failover_receiver.state import Action, Reason, State
from wgfleet.peerset import Monitoring, PublishedWorker, WorkerState

ALERTS = (
    *("WireGuardWorkerDown", "WireGuardWorkerDegraded", "WireGuardWorkerUp", "WireGuardWorkerOverloaded"),
    "WireGuardVantageBlind",
)
"""Alerts with an action, but the Watchdog, which has no beginning."""

REASONS: Mapping[WorkerState, tuple[Reason, ...]] = {
    WorkerState.SERVING: (Reason.UP, Reason.ADMITTED, Reason.OVERLOADED),
    WorkerState.JOINING: (Reason.REGISTERED, Reason.HOLD_DOWN),
    WorkerState.DRAINING: (Reason.DRAINED, Reason.DRAINED_ITSELF),
    WorkerState.SUSPECT: (Reason.TOO_MANY_DOWN,),
    WorkerState.DOWN: (Reason.WORKER_DOWN, Reason.WORKER_DEGRADED),
    WorkerState.BANNED: (Reason.BANNED,),
}
"""What can be decided, and why."""


class Metrics:
    """Registered against a registry of its own, so that every test has a fresh one."""

    def __init__(self) -> None:
        """Register all."""
        disable_created_metrics()  # type: ignore[no-untyped-call] # Untyped in the library. A series more for each one, and nobody asks for it.
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        registry = self.registry
        self.alerts = Counter(
            "wgfleet_receiver_alerts_total",
            "Alerts that came by webhook; outcome says what became of them.",
            ["alertname", "status", "outcome"],
            registry=registry,
        )
        self._taken: dict[tuple[str, str], Counter] = {}
        self._delays: dict[str, Histogram] = {}
        self.webhook_duration = Histogram(
            "wgfleet_receiver_webhook_duration_seconds",
            "Time from a webhook's arrival until its change was durable and shown.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
            registry=registry,
        )
        self.webhook_taken = Gauge(
            "wgfleet_receiver_webhook_taken_timestamp_seconds",
            "When a webhook was last taken; 0 if none was since the start.",
            registry=registry,
        )
        self.alert_delay = Histogram(
            "wgfleet_receiver_alert_delay_seconds",
            "Time from an alert's start, by Prometheus, until its first webhook had arrived.",
            ["alertname"],
            buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0),
            registry=registry,
        )
        self.readings = Counter(
            "wgfleet_receiver_alertmanager_readings_total",
            "Readings of Alertmanager's active alerts.",
            ["alertmanager", "outcome"],
            registry=registry,
        )
        self.load_readings = Counter(
            "wgfleet_receiver_load_readings_total",
            "Times that a Prometheus was asked for the workers' loads.",
            ["prometheus", "outcome"],
            registry=registry,
        )
        self.decisions = Counter(
            "wgfleet_receiver_decisions_total",
            "Changes of a worker's published state, with their reason.",
            ["state", "reason"],
            registry=registry,
        )
        self.store_failures = Counter(
            "wgfleet_receiver_store_failures_total", "Changes that could not be kept.", registry=registry
        )
        self.store_connected = Gauge(
            "wgfleet_receiver_store_connected",
            "1 while the store is there; 0 while this receiver is cut off from a PostgreSQL, shows what it has and decides nothing.",
            registry=registry,
        )
        self.store_connected.set(1)
        self.store_losses = Counter(
            "wgfleet_receiver_store_losses_total", "Times that a PostgreSQL went away.", registry=registry
        )
        self.store_clock = Gauge(
            "wgfleet_receiver_store_clock_ahead_seconds",
            "How far this host's clock is ahead of PostgreSQL's; receivers' clocks should agree within a second.",
            registry=registry,
        )
        self.replicas = Gauge(
            "wgfleet_receiver_replicas",
            "Receivers on this store that were heard in the last seconds, with this one.",
            registry=registry,
        )
        self.replicas.set(1)
        self._begin_at_zero()
        self._epoch = Gauge("wgfleet_receiver_epoch", "Epoch of the peer set.", registry=registry)
        self._generation = Gauge(
            "wgfleet_receiver_generation", "Generation of the peer set.", registry=registry
        )
        self._issued = Gauge(
            "wgfleet_receiver_issued_timestamp_seconds", "When the peer set was issued.", registry=registry
        )
        self._live = Gauge(
            "wgfleet_receiver_monitoring_live",
            "1 if monitoring is heard, 0 if the receiver is blind.",
            registry=registry,
        )
        self._watchdog = Gauge(
            "wgfleet_receiver_watchdog_heard_timestamp_seconds",
            "When the Watchdog was last heard.",
            registry=registry,
        )
        self.watchers = Gauge("wgfleet_receiver_watchers", "Open event streams.", registry=registry)
        self.acks = Counter(
            "wgfleet_receiver_acks_total",
            "Times that a client or worker said what it has applied.",
            registry=registry,
        )
        self.propagation = Histogram(
            "wgfleet_receiver_propagation_seconds",
            "Time from a document's publication until a client that follows said that it has applied it.",
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0),
            registry=registry,
        )
        self._clients = Gauge(
            "wgfleet_receiver_clients", "Clients that were heard in the last minutes.", registry=registry
        )
        self._behind = Gauge(
            "wgfleet_receiver_clients_behind",
            "Of these, clients that have not applied the newest document.",
            registry=registry,
        )
        self._on = Gauge(
            "wgfleet_receiver_worker_clients", "Clients that use each worker.", ["worker"], registry=registry
        )
        self._workers = Gauge(
            "wgfleet_receiver_worker_state",
            "1 for the state that each worker is published in, 0 for the others.",
            ["worker", "state"],
            registry=registry,
        )
        self.beside = Reports(registry, "receiver")
        self._published: tuple[PublishedWorker, ...] = ()
        self.publisher_up = Gauge(
            "wgfleet_publisher_up",
            "1 if the last attempt to publish the peer set there succeeded.",
            ["publisher"],
            registry=registry,
        )
        self.publisher_failures = Counter(
            "wgfleet_publisher_failures_total",
            "Attempts to publish there that failed.",
            ["publisher"],
            registry=registry,
        )
        self.publisher_generation = Gauge(
            "wgfleet_publisher_generation",
            "Generation of the peer set that was last published there.",
            ["publisher"],
            registry=registry,
        )
        self.publisher_behind = Gauge(
            "wgfleet_publisher_behind_seconds",
            "For how long there has been a newer peer set than the one that was published there; 0 if there is none.",
            ["publisher"],
            registry=registry,
        )

    def _begin_at_zero(self) -> None:
        """What is first counted with the first incident would have no rate in it: a counter that appears is no rise."""
        for alert in ALERTS:
            self.alert_delay.labels(alert)
        for state, reasons in REASONS.items():
            for reason in reasons:
                self.decisions.labels(state, reason)
        self.alerts.labels("", "", "truncated")

    def taken(self, alertname: str, status: str) -> Counter:
        """The count of such alerts that were taken; kept, because looking a series up costs more than counting."""
        known = self._taken.get((alertname, status))
        if known is None:
            known = self._taken[alertname, status] = self.alerts.labels(alertname, status, "taken")
        return known

    def delay(self, alertname: str) -> Histogram:
        """The delays of such alerts."""
        known = self._delays.get(alertname)
        if known is None:
            known = self._delays[alertname] = self.alert_delay.labels(alertname)
        return known

    def show_clients(self, clients: Clients) -> None:
        """Set the gauges to what clients say."""
        self._clients.set(clients.heard)
        self._behind.set(clients.behind)
        self._on.clear()
        for worker, count in clients.on.items():
            self._on.labels(worker).set(count)

    def show(self, state: State) -> None:
        """Set the gauges to what the state says."""
        self._epoch.set(state.epoch)
        self._generation.set(state.generation)
        self._issued.set(state.issued_at)
        self._live.set(state.monitoring is Monitoring.LIVE)
        heard = [alert.heard_at for alert in state.alerts.values() if alert.action is Action.WATCHDOG]
        self._watchdog.set(max(heard, default=0.0))
        if state.published == self._published:
            return  # As after nearly every event, and the rest has six series for each worker.
        self._published = state.published
        self._workers.clear()  # A worker that was removed must not linger.
        for worker in state.published:
            for each in WorkerState:
                self._workers.labels(worker.name, each).set(worker.state is each)
