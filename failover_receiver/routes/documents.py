"""What clients and workers fetch and follow. The documents themselves are given out by the doorway."""

from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from failover_receiver.access import Role
from failover_receiver.receiver import Receiver

REFUSED = "wgfleet.refused"
"""Why the doorway passes a request on that it would answer itself."""

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


def routes(receiver: Receiver) -> APIRouter:
    """The documents, as they are described and refused; the key."""
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

    @router.get("/v1/signing-key", dependencies=[Depends(receiver.allow(*Role))])
    async def signing_key() -> dict[str, str]:
        """The public key that signs the documents, for clients to pin."""
        return {"fleet": receiver.settings.fleet, "public_key": receiver.signing_key}

    return router
