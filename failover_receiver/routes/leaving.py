"""A worker's own drain: it asks to be left before it stops, and lifts that when it is back. It is the one that its token names."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from failover_receiver.access import Holder, Role
from failover_receiver.acking import FleetName, Number
from failover_receiver.receiver import Receiver
from failover_receiver.registry.waiting import remaining
from failover_receiver.state import DrainWished, State, UnknownError


def routes(receiver: Receiver) -> APIRouter:
    """`/v1/self/drain` and `/v1/self/clients`, for workers only."""
    router = APIRouter(prefix="/v1/self")
    driver = receiver.driver
    Who = Annotated[Holder, Depends(receiver.allow(Role.WORKER))]  # noqa: N806 - a type, made here because it needs the receiver.

    @router.put("/drain")
    async def drain(who: Who, fleet: FleetName | None = None) -> dict[str, Any]:
        """Wish oneself empty. Refused where no other worker may be used; an operator's drain stays the operator's."""
        receiver.check_fleet(fleet)
        return _drained(await driver.take(DrainWished(who.name, drain=True, own=True), who=who.name), who)

    @router.delete("/drain")
    async def undrain(who: Who, fleet: FleetName | None = None) -> dict[str, Any]:
        """Lift one's own drain, if there is one. Refused where it is an operator's."""
        receiver.check_fleet(fleet)
        return _drained(await driver.take(DrainWished(who.name, drain=False, own=True), who=who.name), who)

    @router.get("/clients")
    async def clients(who: Who, epoch: Number = 0, generation: Number = 0) -> dict[str, Any]:
        """How many clients still use the caller, or have yet to apply that peer set; none is named."""
        if who.name not in driver.state.workers:
            raise UnknownError(f"there is no worker {who.name!r}: an operator has to add it")
        started = receiver.registrar.acks_since
        left = remaining(receiver.acks, who.name, (epoch, generation), now=driver.clock(), since=started)
        counted = [count for count in left.connections.values() if count is not None]
        return {
            "using": len(left.using),
            "behind": len(left.behind),
            "connections": sum(counted),
            "uncounted": len(left.connections) - len(counted),
            "sure_in": left.sure_in,
        }

    return router


def _drained(state: State, who: Holder) -> dict[str, Any]:
    worker = state.workers[who.name]
    number = {"epoch": state.epoch, "generation": state.generation}
    return {**number, "drain": worker.drain, "own": worker.drain_own}
