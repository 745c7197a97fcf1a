"""What clients and workers fetch, follow and answer. The documents themselves are given out by the doorway."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from failover_receiver.access import Holder, Role
from failover_receiver.acks import SEES_MOST, Ack, Sees
from failover_receiver.receiver import Receiver

REFUSED = "wgfleet.refused"
"""Why the doorway passes a request on that it would answer itself."""

LARGEST = 2**53
"""Up to here every reader of JSON has whole numbers."""

DOCUMENT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The document, a compact JWS.", "content": {"application/jose": {"schema": {"type": "string"}}}},
    304: {"description": "If-None-Match names its ETag."},
    404: {"description": "Nothing is published yet."},
}  # fmt: skip
EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events named as the document; each one's data is the whole document. One named `standing` tells of the "
        "receiver: `live` is false while the document may be old.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    503: {"description": "As many streams are open as the limit of open files allows."},
}

Number = Annotated[int, Field(ge=0, le=LARGEST)]
WorkerName = Annotated[str, Field(max_length=64)]
FleetName = Annotated[str, Field(max_length=64)]


class NumberBody(BaseModel):
    """A document's number."""

    epoch: Number
    generation: Number


class SeesBody(BaseModel):
    """What one worker's tunnel answered to the caller's own probes."""

    answers: bool
    rtt_ms: Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False)] | None = None


class AckBody(BaseModel):
    """What a client or worker has applied, and sees. A worker need not follow the peer set."""

    fleet: FleetName | None = None
    """Whose documents these are. One of another fleet is refused: its numbers mean nothing here."""
    epoch: Number = 0
    generation: Number = 0
    active: WorkerName | None = None
    """Which worker carries its traffic."""
    client_list: NumberBody | None = None
    sees: Annotated[dict[WorkerName, SeesBody], Field(max_length=SEES_MOST)] | None = None
    draining: Annotated[dict[WorkerName, Number | None], Field(max_length=SEES_MOST)] | None = None
    """The connections that it still has on each worker that it is leaving; null: it cannot count them."""

    def ack(self, now: float) -> Ack:
        """The same, as it is kept."""
        clients = None if self.client_list is None else (self.client_list.epoch, self.client_list.generation)
        sees = {name: Sees(said.answers, said.rtt_ms) for name, said in (self.sees or {}).items()}
        return Ack(self.epoch, self.generation, self.active, now, clients, sees, self.draining or {})


async def take_ack(receiver: Receiver, holder: Holder, body: AckBody) -> None:
    """Remember what a client or worker has applied, whichever way it said so. Raises RefusedError."""
    receiver.check_fleet(body.fleet)
    ack = body.ack(receiver.driver.clock())
    receiver.acknowledge(holder, ack)
    if holder.role is Role.WORKER and ack.client_list is not None:
        await receiver.registrar.acked(holder.name, ack.client_list)


def routes(receiver: Receiver) -> APIRouter:
    """The documents, as they are described and refused; acks; the key."""
    router = APIRouter()

    @router.get("/v1/peer-set", responses=DOCUMENT, response_class=Response)
    def peer_set(request: Request) -> None:
        """The signed peer set; 304 if the caller's If-None-Match has it already."""
        raise request.scope[REFUSED]

    @router.get("/v1/peer-set/events", responses=EVENTS, response_class=Response)
    def peer_set_events(request: Request) -> None:
        """The signed peer set now and after every change, as server-sent events."""
        raise request.scope[REFUSED]

    @router.get("/v1/client-list", responses=DOCUMENT, response_class=Response)
    def client_list(request: Request) -> None:
        """The signed client list; 304 if the caller's If-None-Match has it already."""
        raise request.scope[REFUSED]

    @router.get("/v1/client-list/events", responses=EVENTS, response_class=Response)
    def client_list_events(request: Request) -> None:
        """The signed client list now and after every change, as server-sent events."""
        raise request.scope[REFUSED]

    for path, refuse in (
        ("/v1/peer-set", peer_set),
        ("/v1/peer-set/events", peer_set_events),
        ("/v1/client-list", client_list),
        ("/v1/client-list/events", client_list_events),
    ):
        router.head(path, include_in_schema=False, response_class=Response)(refuse)

    @router.post("/v1/acks", status_code=204)
    async def ack(
        body: AckBody, holder: Annotated[Holder, Depends(receiver.allow(Role.CLIENT, Role.WORKER))]
    ) -> None:
        """Remember what the caller has applied."""
        await take_ack(receiver, holder, body)

    @router.get("/v1/signing-key", dependencies=[Depends(receiver.allow(*Role))])
    async def signing_key() -> dict[str, str]:
        """The public key that signs the documents, for clients to pin."""
        return {"fleet": receiver.settings.fleet, "public_key": receiver.signing_key}

    return router
