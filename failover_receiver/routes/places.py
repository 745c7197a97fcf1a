"""Which worker each client is on, for workers: return routes follow it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from fastapi.responses import StreamingResponse

from failover_receiver.access import Holder, Role
from failover_receiver.beats import header
from failover_receiver.receiver import Receiver

STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events named `places`: the first one's data is all of them, each later one's what changed.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    429: {"description": "As many streams of this token are open as may be."},
}


def routes(receiver: Receiver) -> APIRouter:
    """`/v1/places`, for workers only."""
    router = APIRouter(prefix="/v1")
    places = receiver.places
    Who = Annotated[Holder, Depends(receiver.allow(Role.WORKER))]  # noqa: N806 - a type, made here because it needs the receiver.

    @router.get("/places")
    async def told(_who: Who) -> Response:
        """The worker that each client said it uses, with the number of that change; a later one is greater."""
        answer = Response(places.told(), media_type="application/json")
        answer.raw_headers += header(places.standing())
        return answer

    @router.get("/places/events", responses=EVENTS, response_class=Response)
    async def events(who: Who) -> StreamingResponse:
        """All places now, and what changes of them, as server-sent events."""
        places.check_room(who)
        stream = places.follow(who, receiver.gate.knows)
        return StreamingResponse(stream, media_type="text/event-stream", headers=STREAM_HEADERS)

    return router
