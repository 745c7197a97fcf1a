"""One failover, measured stage by stage, from what each part itself wrote down."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tests.lab.fleet import Fleet
from tests.lab.machines import Worker
from tests.lab.traffic import Outage, Traffic
from tests.lab.waiting import wait_until

DOWN = "WireGuardWorkerDown"
THIRD = 3


class Way(StrEnum):
    """How a worker fails, and how it is mended."""

    KILL = "kill"
    """Its WireGuard ends, and comes back without its sessions."""
    CUT = "cut"
    """Its network carries nothing; its WireGuard lives and keeps its sessions."""
    FREEZE = "freeze"
    """Its WireGuard stands still; everything else on the machine lives."""

    def strike(self, worker: Worker) -> None:
        """Make it fail."""
        _STRIKES[self](worker)

    def mend(self, worker: Worker) -> None:
        """Make it well again."""
        _MENDS[self](worker)


_STRIKES: Mapping[Way, Callable[[Worker], None]] = {
    Way.KILL: Worker.kill,
    Way.CUT: Worker.cut_off,
    Way.FREEZE: Worker.freeze,
}
_MENDS: Mapping[Way, Callable[[Worker], None]] = {
    Way.KILL: Worker.restart,
    Way.CUT: Worker.mend,
    Way.FREEZE: Worker.thaw,
}


@dataclass(frozen=True, slots=True)
class Failover:
    """When each stage was reached. UNIX seconds, all of one clock."""

    worker: str
    killed: float
    """When its failure began, in whatever way."""
    third_failed_probe: float
    """When the third failing probe began."""
    firing: float
    """When Prometheus found the alert true (its `startsAt`)."""
    webhook: float
    """When the receiver heard: of the webhook, or a moment sooner by reading Alertmanager's list."""
    published: float
    applied: dict[str, float]
    """When each client that used the worker had changed its interface."""
    outages: dict[str, Outage]
    """What each of these clients' traffic went through."""

    @property
    def moved(self) -> float:
        """When the last client had moved."""
        return max(self.applied.values())

    @property
    def traffic(self) -> float:
        """When the last client's traffic was back."""
        return max(outage.first_reply or float("inf") for outage in self.outages.values())

    def figures(self) -> dict[str, float]:
        """The stages as durations."""
        return {
            "killed_to_third_failed_probe_seconds": self.third_failed_probe - self.killed,
            "killed_to_firing_seconds": self.firing - self.killed,
            "firing_to_webhook_seconds": self.webhook - self.firing,
            "webhook_to_published_seconds": self.published - self.webhook,
            "webhook_to_applied_seconds": self.moved - self.webhook,
            "killed_to_traffic_seconds": self.traffic - self.killed,
        }


def fail_over(
    fleet: Fleet, worker: str, traffics: dict[str, Traffic], *, timeout: float, way: Way = Way.KILL
) -> Failover:
    """Make a worker fail and follow what happens to the clients that use it."""
    users = fleet.users(worker)
    if not users:
        raise ValueError(f"no client uses {worker}: its failure would move nobody")
    killed = time.time()
    way.strike(fleet.network.worker(worker))
    receiver = fleet.journal(fleet.receiver)
    alert = receiver.wait_for(
        "alert", since=killed, timeout=timeout, alertname=DOWN, worker=worker, status="firing"
    )
    decided = receiver.wait_for("decided", since=killed, timeout=timeout, worker=worker)
    applied = {}
    outages = {}
    for client in users:
        move = fleet.journal(fleet.sync[client]).wait_for(
            "moved", since=killed, timeout=timeout, before=worker
        )
        applied[client] = float(move["time"])
        traffics[client].wait_until_flowing(timeout, via=str(move["worker"]))
        outages[client] = traffics[client].outage(killed)
    return Failover(
        worker=worker,
        killed=killed,
        third_failed_probe=_third_failed_probe(fleet, worker, killed, timeout),
        firing=float(alert["starts_at"]),
        webhook=min(float(alert["time"]), float(decided["time"])),
        published=float(decided["time"]),
        applied=applied,
        outages=outages,
    )


def _third_failed_probe(fleet: Fleet, worker: str, killed: float, timeout: float) -> float:
    def third() -> float | None:
        series = fleet.query(f'probe_success{{job="wgfleet-tunnel",worker="{worker}"}}[{timeout:.0f}s]')
        failed = [
            float(at) for one in series for at, value in one["values"] if value == "0" and float(at) > killed
        ]
        return sorted(failed)[THIRD - 1] if len(failed) >= THIRD else None

    return wait_until(third, timeout, f"three failed probes of {worker} in Prometheus")
