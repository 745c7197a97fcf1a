"""The operator's work on clients, and what a client or worker may know of itself."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from failover_receiver.access import Holder, Role
from failover_receiver.acks import Ack
from failover_receiver.receiver import Receiver
from failover_receiver.registry.changes import NO_SHARED, Draft
from failover_receiver.registry.clients import Client, Wish, check_network, check_own
from failover_receiver.registry.waiting import number_of_list, remaining
from failover_receiver.state import RefusedError, UnknownError
from wgfleet.names import check_address, check_name, check_prefix, check_public_key

MOST_AT_ONCE = 20_000
"""Clients in one request: as many as one server has, and what is checked within a second or two."""
MOST_ADDRESSES = 16
MOST_NETWORKS = 256
"""Of one client. Enough for a site; each is a route on every worker."""

Name = Annotated[str, AfterValidator(check_name)]
Key = Annotated[str, AfterValidator(check_public_key)]


def _alone(address: object) -> object:
    """A single address may be written as a network of one, as wg's own files do."""
    if not isinstance(address, str):
        return address
    return address.removesuffix("/128" if ":" in address else "/32")


Address = Annotated[str, BeforeValidator(_alone), AfterValidator(check_address), AfterValidator(check_own)]
Network = Annotated[str, AfterValidator(check_prefix), AfterValidator(check_network)]


class ClientBody(BaseModel):
    """A client as an operator describes it. Addresses that are left out stay as they are, or come from the pools."""

    model_config = ConfigDict(extra="forbid")

    public_key: Key
    addresses: Annotated[list[Address], Field(min_length=1, max_length=MOST_ADDRESSES)] | None = None
    networks: Annotated[list[Network], Field(max_length=MOST_NETWORKS)] | None = None
    shared: bool = False
    """A device for the identity that workers share: without addresses it is given one of that identity's pools."""

    def wish(self, name: str, *, new_key: bool = False, again: bool = False) -> Wish:
        """The same as a value of the registry."""
        return Wish(
            name,
            self.public_key,
            None if self.addresses is None else tuple(dict.fromkeys(self.addresses)),
            None if self.networks is None else tuple(dict.fromkeys(self.networks)),
            new_key=new_key,
            again=again,
            shared=self.shared,
        )


class NamedClientBody(ClientBody):
    """One of several."""

    name: Name


class ClientsBody(BaseModel):
    """Several, to be added or changed together or not at all."""

    model_config = ConfigDict(extra="forbid")

    clients: Annotated[list[NamedClientBody], Field(max_length=MOST_AT_ONCE)]


class _FaultsError(RefusedError):
    """Some of several cannot be added, so none was."""

    def __init__(self, faults: list[tuple[str, str]], of: int) -> None:
        super().__init__(f"{len(faults)} of {of} clients cannot be added, so none was: {faults[0][1]}")
        self.faults = faults


def routes(receiver: Receiver) -> APIRouter:
    """`/v1/clients` and `/v1/client-list/…` for operators, `/v1/self` for clients and workers."""
    router = APIRouter(prefix="/v1")
    _reading(router, receiver)
    _changing(router, receiver)
    _waiting(router, receiver)

    @router.get("/self")
    async def itself(
        holder: Annotated[Holder, Depends(receiver.allow(Role.CLIENT, Role.WORKER))],
    ) -> dict[str, Any]:
        """What is known of the caller, and of nobody else."""
        said: dict[str, Any] = {"name": holder.name, "role": holder.role, "fleet": receiver.settings.fleet}
        client = receiver.registrar.roll.clients.get(holder.name)
        worker = receiver.driver.state.workers.get(holder.name)
        if holder.role is Role.CLIENT and client is not None:
            said |= _described(client)
        if holder.role is Role.WORKER and worker is not None:
            said |= asdict(worker.spec)
        return said

    return router


def _reading(router: APIRouter, receiver: Receiver) -> None:
    operator = [Depends(receiver.allow(Role.OPERATOR))]
    registrar = receiver.registrar

    @router.get("/clients", dependencies=operator)
    async def clients() -> dict[str, Any]:
        """All clients, with what each said last."""
        epoch, generation = registrar.number
        told = {name: _told(client, receiver) for name, client in sorted(registrar.roll.clients.items())}
        return {"epoch": epoch, "generation": generation, "clients": told}

    @router.get("/shared", dependencies=operator, responses={404: {"description": "Workers share none."}})
    async def shared() -> dict[str, Any]:
        """The identity that workers share, as devices are told of it."""
        if receiver.settings.shared is None:
            raise UnknownError(NO_SHARED)
        return receiver.settings.shared.model_dump()

    @router.get("/clients/{name}", dependencies=operator)
    async def client(name: str) -> dict[str, Any]:
        """One client."""
        known = registrar.roll.clients.get(name)
        if known is None:
            raise UnknownError(f"there is no client {name!r}: `wgfleet client list` names all")
        return _told(known, receiver)


def _changing(router: APIRouter, receiver: Receiver) -> None:
    registrar = receiver.registrar
    Who = Annotated[Holder, Depends(receiver.allow(Role.OPERATOR))]  # noqa: N806 - a type, made here because it needs the receiver.

    @router.put("/clients/{name}")
    async def put_client(
        name: Annotated[Name, Path()], body: ClientBody, who: Who, new_key: bool = False, again: bool = False
    ) -> dict[str, Any]:
        """Add a client, or change one; another public key only with `new_key`, one that was revoked only with `again`."""
        wish = body.wish(name, new_key=new_key, again=again)

        def put(draft: Draft) -> Client:
            return draft.put(wish)

        known, number = await registrar.change(put, who=who.name)
        return _numbered(number, _told(known, receiver))

    @router.post("/clients", response_model=None)
    async def put_clients(
        body: ClientsBody, who: Who, only_try: bool = False, again: bool = False
    ) -> dict[str, Any] | JSONResponse:
        """Add several clients, all or none; every fault is listed. With `only_try` none, and the faults are the answer.

        Keys that were revoked only with `again`.
        """
        wishes = [one.wish(one.name, again=again) for one in body.clients]
        if only_try:
            draft = registrar.draft(await registrar.others())
            _, found = await asyncio.to_thread(draft.put_all, wishes)
            return {"faults": [{"name": name, "error": fault} for name, fault in found]}

        def put(draft: Draft) -> list[Client]:
            done, faults = draft.put_all(wishes)
            if faults:
                raise _FaultsError(faults, len(wishes))
            return done

        try:
            done, number = await registrar.change(put, who=who.name)
        except _FaultsError as error:
            faults = [{"name": name, "error": fault} for name, fault in error.faults]
            return JSONResponse({"error": str(error), "faults": faults}, status_code=409)
        return _numbered(number, {"clients": {one.name: _described(one) for one in done}})

    @router.delete("/clients/{name}")
    async def revoke(name: str, who: Who) -> dict[str, Any]:
        """Revoke a client: its token, its bundle and its key. The answer has the number of the list that lacks it."""
        async with registrar.lock:
            gone, number = await registrar.change_locked(lambda draft: draft.revoke(name), who=who.name)
            await receiver.enrolments.cancel_locked(name, who=who.name)
        return _numbered(number, {"name": gone.name, "public_key": gone.public_key})

    @router.post("/client-list/confirm")
    async def confirm(who: Who) -> dict[str, Any]:
        """Say that every client that is missing from the list shall go, however many they are."""
        _, number = await registrar.change(lambda draft: draft.confirm(), who=who.name)
        return _numbered(number, {"clients": len(registrar.roll.clients)})


def _waiting(router: APIRouter, receiver: Receiver) -> None:
    operator = [Depends(receiver.allow(Role.OPERATOR))]

    @router.get("/client-list/behind", dependencies=operator)
    async def behind(epoch: int = 0, generation: int = 0) -> dict[str, Any]:
        """Which workers have not applied that client list yet, of those that ever applied one."""
        registrar = receiver.registrar
        late = {name: number_of_list(registrar.acks[name]) for name in registrar.behind((epoch, generation))}
        return {"published": number_of_list(registrar.number), "behind": late, "workers": len(registrar.acks)}

    @router.get("/workers/{name}/clients", dependencies=operator)
    async def of_worker(name: str, epoch: int = 0, generation: int = 0) -> dict[str, Any]:
        """Which clients that were heard lately still use a worker, or have not applied that peer set yet."""
        if name not in receiver.driver.state.workers:
            raise UnknownError(f"there is no worker {name!r}: `wgfleet worker list` names all")
        now = receiver.driver.clock()
        return asdict(
            remaining(receiver.acks, name, (epoch, generation), now=now, since=receiver.registrar.acks_since)
        )


def _described(client: Client) -> dict[str, Any]:
    return {**asdict(client), "allowed_ips": client.allowed_ips}


def _told(client: Client, receiver: Receiver) -> dict[str, Any]:
    ack = receiver.acks.get(client.name)
    return {**_described(client), "ack": None if ack is None else _said(ack, receiver.driver.clock())}


def _said(ack: Ack, now: float) -> dict[str, Any]:
    return {
        "epoch": ack.epoch,
        "generation": ack.generation,
        "active": ack.active,
        "seen_seconds_ago": max(0.0, now - ack.received_at),
    }


def _numbered(number: tuple[int, int], said: Mapping[str, Any]) -> dict[str, Any]:
    return {"epoch": number[0], "generation": number[1], **said}
