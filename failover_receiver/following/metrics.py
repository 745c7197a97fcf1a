"""Every metric of a follower. Names stand here alone."""

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, disable_created_metrics

from failover_receiver.following.held import TYPES, Taken
from failover_receiver.following.reports import Reports


class FollowerMetrics:
    """Registered against a registry of its own, so that every test has a fresh one."""

    def __init__(self) -> None:
        """Register all."""
        disable_created_metrics()  # type: ignore[no-untyped-call] # Untyped in the library.
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.live = Gauge(
            "wgfleet_follower_live",
            "1 if what is served is what the receiver says now, 0 if it is not heard.",
            registry=registry,
        )
        self._epoch = Gauge(
            "wgfleet_follower_epoch", "Epoch of each document.", ["document"], registry=registry
        )
        self._generation = Gauge(
            "wgfleet_follower_generation", "Generation of each document.", ["document"], registry=registry
        )
        self._issued = Gauge(
            "wgfleet_follower_issued_timestamp_seconds",
            "When each document was issued.",
            ["document"],
            registry=registry,
        )
        self._fresh_until = Gauge(
            "wgfleet_follower_fresh_until_timestamp_seconds",
            "Until when each document counts as fresh.",
            ["document"],
            registry=registry,
        )
        self.refused = Counter(
            "wgfleet_follower_refused_total",
            "Documents that were not served: forged, broken or older than what is held.",
            ["document"],
            registry=registry,
        )
        self.tokens = Gauge("wgfleet_follower_tokens", "Tokens that are known.", registry=registry)
        self.watchers = Gauge("wgfleet_follower_watchers", "Open event streams.", registry=registry)
        self.followers = Gauge(
            "wgfleet_follower_followers", "Open streams of those who follow this one.", registry=registry
        )
        self.acks = Counter(
            "wgfleet_follower_acks_total",
            "Acks that were passed on, by what became of them.",
            ["outcome"],
            registry=registry,
        )
        self.beside = Reports(registry, "follower")
        for name in TYPES:
            self.refused.labels(name)
        for outcome in ("taken", "refused", "away"):
            self.acks.labels(outcome)

    def show(self, name: str, taken: Taken) -> None:
        """Set the gauges to this document."""
        self._epoch.labels(name).set(taken.epoch)
        self._generation.labels(name).set(taken.generation)
        self._issued.labels(name).set(taken.issued_at)
        self._fresh_until.labels(name).set(taken.fresh_until)
