"""What `wgfleet doctor` compares with the rest of the chain. Nothing secret is in it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from failover_receiver.access import Holder, Role
from failover_receiver.core import frozen_by, unmonitored
from failover_receiver.receiver import Receiver
from failover_receiver.state import Action
from wgfleet import __version__
from wgfleet.peerset import Monitoring


def routes(receiver: Receiver) -> APIRouter:
    """`GET /v1/doctor`, for operators only."""
    router = APIRouter(prefix="/v1")

    @router.get("/doctor")
    def doctor(holder: Annotated[Holder, Depends(receiver.allow(Role.OPERATOR))]) -> dict[str, Any]:
        """Who asks, what is expected of monitoring, and what is heard of it and of the workers."""
        state, now, policy = receiver.driver.state, receiver.driver.clock(), receiver.driver.policy
        watchdogs = (alert.heard_at for alert in state.alerts.values() if alert.action is Action.WATCHDOG)
        return {
            "version": __version__,
            "now": now,
            "holder": {"name": holder.name, "role": holder.role, "expires_at": holder.expires_at},
            "fleet": state.fleet,
            "monitoring": state.monitoring if receiver.doubt() is None else Monitoring.BLIND,
            "frozen_by": receiver.doubt() or frozen_by(state, now, policy),
            "probe_interval": policy.probe_interval,
            "watchdog_timeout": policy.watchdog_timeout,
            "watchdog_heard_at": max(watchdogs, default=None),
            "webhook_at": _value(receiver, "wgfleet_receiver_webhook_taken_timestamp_seconds"),
            "read_at": state.read_at,
            "alertmanagers": receiver.settings.alertmanagers,
            "prometheis": receiver.settings.prometheis,
            "clients": {"heard": receiver.clients().heard, "behind": receiver.clients().behind},
            "sharing": None if receiver.others is None else _value(receiver, "wgfleet_receiver_replicas"),
            "publishers": _publishers(receiver),
            "followers": _followers(receiver),
            **_workers(receiver, unmonitored(state, now, policy)),
        }

    return router


def _value(receiver: Receiver, metric: str) -> float | None:
    return receiver.metrics.registry.get_sample_value(metric)


def _publishers(receiver: Receiver) -> dict[str, float]:
    """For how many seconds each has been behind."""
    (behind,) = receiver.metrics.publisher_behind.collect()
    return {sample.labels["publisher"]: sample.value for sample in behind.samples}


def _followers(receiver: Receiver) -> dict[str, bool]:
    """Whether the one that each token is made for follows this receiver; it may follow another, or one of them."""
    gate, source = receiver.gate, receiver.source
    return {
        holder.name: source.is_followed_by(holder)
        for holder in gate.holders.values()
        if holder.role is Role.FOLLOWER and gate.knows(holder) and not gate.lends(holder)
    }


def _workers(receiver: Receiver, silent: frozenset[str]) -> dict[str, Any]:
    shown = receiver.client_list.shown
    said = {worker.name: worker for worker in receiver.driver.state.published}
    acks = receiver.worker_acks
    return {
        "client_list": None if shown is None else (shown.document.epoch, shown.document.generation),
        "workers": {
            name: {
                "state": said[name].state,
                "reason": said[name].reason,
                "proven": worker.proven,
                "monitored": name not in silent,
                "acked_at": acks[name].received_at if name in acks else None,
                "client_list": acks[name].client_list if name in acks else None,
                "follows": name in acks or name in receiver.registrar.acks,
            }
            for name, worker in sorted(receiver.driver.state.workers.items())
        },
    }
