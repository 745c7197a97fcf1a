"""For supervisors, Prometheus and people in a hurry."""

from typing import Any

from fastapi import APIRouter, Depends, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from failover_receiver.access import Role
from failover_receiver.core import frozen_by, unmonitored
from failover_receiver.receiver import Receiver
from failover_receiver.state import Worker
from failover_receiver.store import StoreUnavailableError
from wgfleet.peerset import Monitoring

OBSERVERS = (Role.OPERATOR, Role.PROMETHEUS)


def routes(receiver: Receiver) -> APIRouter:
    """`/health`, `/metrics`, `/livez` and `/readyz`."""
    router = APIRouter()
    observers = [Depends(receiver.allow_or_open(*OBSERVERS))]

    @router.get("/health", dependencies=observers)
    def health() -> dict[str, Any]:
        """Every worker's status, and whether monitoring can be believed."""
        state, now, policy = receiver.driver.state, receiver.driver.clock(), receiver.driver.policy
        clients = receiver.clients().on
        loads = receiver.loads
        silent = unmonitored(state, now, policy)
        return {
            "fleet": state.fleet,
            "epoch": state.epoch,
            "generation": state.generation,
            "monitoring": state.monitoring if receiver.doubt() is None else Monitoring.BLIND,
            "frozen_by": receiver.doubt() or frozen_by(state, now, policy),
            "workers": {
                said.name: {
                    "status": _status(state.workers[said.name]),
                    "state": said.state,
                    "reason": said.reason,
                    "since": state.since.get(said.name),
                    "monitored": said.name not in silent,
                    "load": loads.get(said.name),
                    "clients": clients[said.name],
                }
                for said in state.published
            },
        }

    @router.get("/metrics", dependencies=observers, response_class=PlainTextResponse)
    def metrics() -> Response:
        """The receiver's own metrics."""
        own = receiver.publication.watchers + receiver.client_list.watchers
        receiver.metrics.watchers.set(own + receiver.metrics.beside.watchers)
        receiver.metrics.show_clients(receiver.clients())
        return Response(generate_latest(receiver.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @router.get("/livez")
    def livez() -> dict[str, str]:
        """The process answers."""
        return {"status": "alive"}

    @router.get("/readyz", response_model=None)
    async def readyz() -> dict[str, str] | JSONResponse:
        """The store answers, so alerts can be taken."""
        try:
            await receiver.driver.stored(lambda store: store.rows("SELECT 1"))
        except StoreUnavailableError as error:
            return JSONResponse({"error": str(error)}, status_code=503)
        if receiver.others is not None and receiver.others.fault is not None:
            return JSONResponse({"error": receiver.others.fault}, status_code=503)
        return {"status": "ready"}

    return router


def _status(worker: Worker) -> str:
    if worker.failed_at is not None and worker.up_since is None:
        return "offline"
    return "online" if worker.proven or worker.up_since is not None else "unknown"
