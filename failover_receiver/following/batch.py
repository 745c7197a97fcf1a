"""Acks as followers pass them on: many in one request, each with the token of whoever says it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field, SecretStr

from failover_receiver.access import Gate, Holder, Role
from failover_receiver.acking import AckBody
from failover_receiver.following.passing import MOST_AT_ONCE, TAKEN, Answer
from failover_receiver.following.source import Source

STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events named `standing`, `peer-set`, `client-list` and `tokens`: all now, then what changes.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
}


class PassedAck(BaseModel):
    """One ack, and who says it."""

    token: SecretStr
    """Never shown again, in an error neither."""
    ack: AckBody


class BatchBody(BaseModel):
    """Acks that a follower passes on."""

    acks: Annotated[list[PassedAck], Field(max_length=MOST_AT_ONCE)]


class RefusalBody(BaseModel):
    """What was not taken."""

    status: int
    error: str


class BatchAnswer(BaseModel):
    """Those that were not taken, by their place in the request; all others were."""

    refused: dict[int, RefusalBody]


Take = Callable[[Sequence[PassedAck]], Awaitable[Sequence[Answer]]]


def routes(gate: Gate, source: Source, take: Take) -> APIRouter:
    """What followers ask, of a receiver as of a follower."""
    router = APIRouter(prefix="/v1")
    Who = Annotated[Holder, Depends(gate.allow(Role.FOLLOWER))]  # noqa: N806 - a type, made here because it needs the gate.

    @router.get("/follow/events", responses=EVENTS, response_class=Response)
    async def events(who: Who) -> StreamingResponse:
        """The documents and the digests of all tokens, now and after every change, as server-sent events."""
        return StreamingResponse(source.follow(who), media_type="text/event-stream", headers=STREAM_HEADERS)

    @router.post("/acks/batch")
    async def batch(body: BatchBody, _who: Who) -> BatchAnswer:
        """Remember what the clients and workers of a follower have applied."""
        answers = await take(body.acks)
        return BatchAnswer(
            refused={
                number: RefusalBody(status=one.status, error=one.error)
                for number, one in enumerate(answers)
                if one != TAKEN
            }
        )

    return router
