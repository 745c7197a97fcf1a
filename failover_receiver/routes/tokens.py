"""Who is let in, and what was decided: for operators only."""

from contextlib import nullcontext
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from failover_receiver.access import Holder, Role, digest, last_operator, new_token
from failover_receiver.receiver import Receiver
from failover_receiver.registry.tokens import check_token
from failover_receiver.state import RefusedError, UnknownError
from failover_receiver.store import Noted, Store, StoredToken
from wgfleet.names import check_name

LAST_SECOND = 253402300799.0
"""Of the year 9999. A larger number is one of milliseconds."""


class TokenBody(BaseModel):
    """A token to make."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, AfterValidator(check_name)]
    role: Role
    expires_at: Annotated[float, Field(gt=0, le=LAST_SECOND)] | None = None
    """In seconds since 1970; left out, it does not expire."""


def routes(receiver: Receiver) -> APIRouter:
    """`/v1/tokens` and `/v1/events`."""
    operator = receiver.allow(Role.OPERATOR)
    router = APIRouter(prefix="/v1", dependencies=[Depends(operator)])
    driver = receiver.driver
    Who = Annotated[Holder, Depends(operator)]  # noqa: N806 - a type, made here because it needs the receiver.

    @router.get("/tokens")
    async def tokens() -> list[dict[str, Any]]:
        """Who holds a token, until when, and when it was last used since this receiver runs."""
        return [_told(token, receiver) for token in await driver.stored(lambda store: store.tokens.all())]

    @router.post("/tokens", status_code=201)
    async def create(body: TokenBody, who: Who) -> dict[str, Any]:
        """Make a token; it is shown this once. `warning` says if no machine of its name is registered."""
        async with receiver.registrar.lock:  # Or a machine could take the name meanwhile.
            clients, workers = receiver.registrar.roll.clients, driver.state.workers
            warning = check_token(body.name, body.role, clients, workers)
            return {**await made(body, who), **({"warning": warning} if warning else {})}

    async def made(body: TokenBody, who: Holder) -> dict[str, Any]:
        secret = new_token()
        token = _to_come(StoredToken(body.name, body.role, digest(secret), driver.clock(), body.expires_at))
        noted = _noted(receiver, who, "token made", body.name, body.role)
        try:
            await driver.stored(lambda store: store.tokens.add(token, noted))
        except ValueError as error:
            raise RefusedError(str(error)) from None
        await receiver.learn_tokens()
        return {"name": body.name, "role": body.role, "expires_at": body.expires_at, "token": secret}

    @router.delete("/tokens/{name}", status_code=204)
    async def revoke(name: str, who: Who) -> None:
        """Forget a token: its holder is let in no more."""
        revoked = _noted(receiver, who, "token revoked", name, "revoked")
        # Of several receivers one at a time, too, or two operators could revoke each other at two of them.
        async with nullcontext() if receiver.others is None else receiver.others.turns:
            await driver.stored(lambda store: _forget(store, revoked))
        await receiver.learn_tokens()

    @router.get("/events")
    async def events(
        limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
        before: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    ) -> list[dict[str, Any]]:
        """The newest of the history, oldest of them first; of what came before the event with the id `before`."""
        return [asdict(event) for event in await driver.stored(lambda store: store.events(limit, before))]

    return router


def _told(token: StoredToken, receiver: Receiver) -> dict[str, Any]:
    return {
        "name": token.name,
        "role": token.role,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": receiver.gate.last_used(token.digest),
    }


def _to_come(token: StoredToken) -> StoredToken:
    if token.expires_at is not None and token.expires_at <= token.created_at:
        raise RefusedError(
            f"expires_at: {token.expires_at:.0f} is in the past: give a time to come, in seconds since 1970"
        )
    return token


def _noted(receiver: Receiver, who: Holder, what: str, name: str, reason: str) -> Noted:
    state = receiver.driver.state
    return Noted(receiver.driver.clock(), who.name, what, name, reason, state.epoch, state.generation)


def _forget(store: Store, revoked: Noted) -> None:
    """In one go on the store, or two operators could revoke each other at once."""
    name = revoked.subject
    if last_operator(store.tokens.all(), now=revoked.at) == name:
        raise RefusedError(
            f"{name!r} is the last operator's token: create another one first, or nobody gets in"
        )
    if not store.tokens.remove(name, revoked):
        raise UnknownError(f"there is no token named {name!r}: `wgfleet token list` names all")
