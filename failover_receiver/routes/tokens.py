"""Who is let in, and what was decided: for operators only."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator, BaseModel, ConfigDict

from failover_receiver.access import Role, digest, new_token
from failover_receiver.receiver import Receiver
from failover_receiver.state import RefusedError
from failover_receiver.store import StoredToken
from wgfleet.names import check_name


class TokenBody(BaseModel):
    """A token to make."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, AfterValidator(check_name)]
    role: Role


def routes(receiver: Receiver) -> APIRouter:
    """`/v1/tokens` and `/v1/events`."""
    router = APIRouter(prefix="/v1", dependencies=[Depends(receiver.allow(Role.OPERATOR))])
    driver = receiver.driver

    @router.get("/tokens")
    async def tokens() -> list[dict[str, Any]]:
        """Who holds a token."""
        known = await driver.stored(lambda store: store.tokens.all())
        return [{"name": token.name, "role": token.role, "created_at": token.created_at} for token in known]

    @router.post("/tokens", status_code=201)
    async def create(body: TokenBody) -> dict[str, str]:
        """Make a token; it is shown this once."""
        secret = new_token()
        token = StoredToken(body.name, body.role, digest(secret), driver.clock())
        try:
            await driver.stored(lambda store: store.tokens.add(token))
        except ValueError as error:
            raise RefusedError(str(error)) from None
        receiver.gate.learn(await driver.stored(lambda store: store.tokens.all()))
        return {"name": body.name, "role": body.role, "token": secret}

    @router.delete("/tokens/{name}", status_code=204)
    async def revoke(name: str) -> None:
        """Forget a token: its holder is let in no more."""
        known = await driver.stored(lambda store: store.tokens.all())
        if [token.name for token in known if token.role == Role.OPERATOR] == [name]:
            raise RefusedError(
                f"{name!r} is the last operator's token: create another one first, or nobody gets in"
            )
        if not await driver.stored(lambda store: store.tokens.remove(name)):
            raise RefusedError(f"there is no token named {name!r}")
        receiver.gate.learn(await driver.stored(lambda store: store.tokens.all()))

    @router.get("/events")
    async def events(limit: Annotated[int, Query(ge=1, le=10_000)] = 100) -> list[dict[str, Any]]:
        """The newest decisions, oldest of them first."""
        return [asdict(event) for event in await driver.stored(lambda store: store.events(limit))]

    return router
