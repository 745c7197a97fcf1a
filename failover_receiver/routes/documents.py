"""What clients and workers fetch, follow and answer."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, Field

from failover_receiver.access import Holder, Role
from failover_receiver.acks import Ack
from failover_receiver.receiver import Receiver

READERS = (Role.CLIENT, Role.WORKER, Role.OPERATOR)
JOSE = "application/jose"
SSE_HEADERS: Mapping[str, str] = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class AckBody(BaseModel):
    """What a client has applied, and which worker carries its traffic."""

    epoch: int = Field(ge=0)
    generation: int = Field(ge=0)
    active: str | None = None


def routes(receiver: Receiver) -> APIRouter:
    """The peer set, its stream, and acks."""
    router = APIRouter()
    publication = receiver.publication

    @router.get("/v1/peer-set", dependencies=[Depends(receiver.allow(*READERS))], response_model=None)
    def peer_set(request: Request) -> Response:
        """The signed document; 304 if the caller's If-None-Match has it already."""
        shown = publication.shown
        if shown is None:
            return JSONResponse({"error": "nothing is published yet: add a worker first"}, status_code=404)
        headers = {"ETag": shown.etag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == shown.etag:
            return Response(status_code=304, headers=headers)
        return Response(shown.document.body, media_type=JOSE, headers=headers)

    @router.get("/v1/peer-set/events", dependencies=[Depends(receiver.allow(*READERS))], response_model=None)
    def peer_set_events() -> StreamingResponse:
        """The signed document now and after every change, as server-sent events."""
        return StreamingResponse(publication.watch(), media_type="text/event-stream", headers=SSE_HEADERS)

    @router.post("/v1/acks", status_code=204)
    def ack(
        body: AckBody, holder: Annotated[Holder, Depends(receiver.allow(Role.CLIENT, Role.WORKER))]
    ) -> None:
        """Remember what the caller has applied."""
        now = receiver.driver.clock()
        receiver.acknowledge(holder.name, Ack(body.epoch, body.generation, body.active, now))

    @router.get("/v1/signing-key", dependencies=[Depends(receiver.allow(*Role))])
    def signing_key() -> dict[str, str]:
        """The public key that signs the documents, for clients to pin."""
        return {"fleet": receiver.settings.fleet, "public_key": receiver.signing_key}

    return router
