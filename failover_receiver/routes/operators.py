"""The operator's work on workers."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from failover_receiver.access import Holder, Role
from failover_receiver.receiver import Receiver
from failover_receiver.state import (
    DrainWished,
    Event,
    State,
    UnknownError,
    WorkerAdmitted,
    WorkerBanned,
    WorkerRegistered,
    WorkerRemoved,
    WorkerSpec,
)
from wgfleet.names import check_address, check_endpoint, check_name, check_prefix, check_public_key

Name = Annotated[str, AfterValidator(check_name)]
_SPEC = TypeAdapter(WorkerSpec)


class WorkerBody(BaseModel):
    """A worker as an operator describes it."""

    model_config = ConfigDict(extra="forbid")

    public_key: Annotated[str, AfterValidator(check_public_key)]
    endpoints: list[Annotated[str, AfterValidator(check_endpoint)]] = Field(min_length=1)
    tunnel_addresses: list[Annotated[str, AfterValidator(check_address)]] = Field(min_length=1)
    allowed_ips: list[Annotated[str, AfterValidator(check_prefix)]] = Field(min_length=1)
    keepalive: int = Field(default=25, ge=1, le=65535)
    mtu: int | None = Field(default=None, ge=576, le=65535)
    dns: list[Annotated[str, AfterValidator(check_address)]] = []
    weight: int = Field(default=100, ge=1, le=10_000)
    priority: int = Field(default=0, ge=0, le=10_000)
    region: str = Field(default="", max_length=63)
    exporter_port: int = Field(default=9586, ge=1, le=65535)

    def spec(self) -> WorkerSpec:
        """The same as a value of the core."""
        return _SPEC.validate_python(self.model_dump())


class WorkerChange(WorkerBody):
    """What an operator says anew of a worker that is known; what is left out stays as it is."""

    public_key: Annotated[str, AfterValidator(check_public_key)] = ""
    endpoints: list[Annotated[str, AfterValidator(check_endpoint)]] = Field(default=[], min_length=1)
    tunnel_addresses: list[Annotated[str, AfterValidator(check_address)]] = Field(default=[], min_length=1)
    allowed_ips: list[Annotated[str, AfterValidator(check_prefix)]] = Field(default=[], min_length=1)

    def of(self, known: WorkerSpec) -> WorkerSpec:
        """That worker with what was said."""
        return _SPEC.validate_python({**asdict(known), **self.model_dump(exclude_unset=True)})


def routes(receiver: Receiver) -> APIRouter:
    """`/v1/workers`, for operators only."""
    operator = receiver.allow(Role.OPERATOR)
    router = APIRouter(prefix="/v1", dependencies=[Depends(operator)])
    driver = receiver.driver
    _description(router, receiver)
    Who = Annotated[Holder, Depends(operator)]  # noqa: N806 - a type, made here because it needs the receiver.

    async def take(event: Event, who: Holder) -> dict[str, Any]:
        return _workers(await driver.take(event, who=who.name))

    @router.get("/workers")
    def workers() -> dict[str, Any]:
        """All workers with what is known of them."""
        return _workers(driver.state)

    @router.put("/workers/{name}/drain")
    async def drain(name: str, who: Who) -> dict[str, Any]:
        """Wish a worker empty."""
        return await take(DrainWished(name, drain=True), who)

    @router.delete("/workers/{name}/drain")
    async def undrain(name: str, who: Who) -> dict[str, Any]:
        """Let a drained worker serve again."""
        return await take(DrainWished(name, drain=False), who)

    @router.put("/workers/{name}/ban")
    async def ban(name: str, who: Who) -> dict[str, Any]:
        """Bar a worker for good: clients never use it."""
        return await take(WorkerBanned(name, banned=True), who)

    @router.delete("/workers/{name}/ban")
    async def unban(name: str, who: Who) -> dict[str, Any]:
        """Lift a ban."""
        return await take(WorkerBanned(name, banned=False), who)

    @router.post("/workers/{name}/admit")
    async def admit(name: str, who: Who, force: Annotated[bool, Body(embed=True)] = False) -> dict[str, Any]:
        """Let a worker in now."""
        return await take(WorkerAdmitted(name, force=force), who)

    return router


def _description(router: APIRouter, receiver: Receiver) -> None:
    """Which workers there are, and what is said of them."""
    driver, registrar = receiver.driver, receiver.registrar
    Who = Annotated[Holder, Depends(receiver.allow(Role.OPERATOR))]  # noqa: N806 - as above.

    @router.put("/workers/{name}")
    async def put_worker(
        name: Annotated[Name, Path()], body: WorkerBody, who: Who, new_key: bool = False
    ) -> dict[str, Any]:
        """Describe a worker wholly, a new one or one that is known; another public key only with `new_key`."""
        spec = body.spec()
        async with registrar.lock:  # Or a client could take the name meanwhile.
            return _workers(await registrar.register(WorkerRegistered(name, spec, new_key), who=who.name))

    @router.patch("/workers/{name}")
    async def change(name: str, body: WorkerChange, who: Who, new_key: bool = False) -> dict[str, Any]:
        """Change what is said of a known worker; what is left out stays. Another public key only with `new_key`."""
        async with registrar.lock:
            known = driver.state.workers.get(name)
            if known is None:
                raise UnknownError(f"there is no worker {name!r}: `wgfleet worker list` names all")
            spec = body.of(known.spec)
            return _workers(await registrar.register(WorkerRegistered(name, spec, new_key), who=who.name))

    @router.delete("/workers/{name}")
    async def remove(name: str, who: Who) -> dict[str, Any]:
        """Remove a worker: clients drop it, and its token and open bundle are good for nothing."""
        async with registrar.lock:
            # Its token first: a worker without one is harmless, the opposite is not.
            await receiver.enrolments.dismiss_locked(name, who=who.name)
            await receiver.learn_tokens()
            return _workers(await driver.take(WorkerRemoved(name), who=who.name))


def _workers(state: State) -> dict[str, Any]:
    said = {worker.name: worker for worker in state.published}
    return {
        "epoch": state.epoch,
        "generation": state.generation,
        "monitoring": state.monitoring,
        "workers": {
            name: {
                **asdict(worker.spec),
                "state": said[name].state,
                "reason": said[name].reason,
                "failed_at": worker.failed_at,
                "up_since": worker.up_since,
                "drain": worker.drain,
                "drain_own": worker.drain_own,
            }
            for name, worker in sorted(state.workers.items())
        },
    }
