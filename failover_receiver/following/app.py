"""The HTTP face of a follower: what it answers itself, what it passes on, and who it sends elsewhere."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp, Receive, Scope, Send

from failover_receiver.access import Role
from failover_receiver.acking import ACKERS, PATH, TAKEN, AckBody
from failover_receiver.answers import answer_errors
from failover_receiver.bodies import BodyLimits
from failover_receiver.doorway import Doorway
from failover_receiver.following import batch
from failover_receiver.following.edge import Edge
from failover_receiver.following.passing import Answer, Passing
from failover_receiver.headers import SecurityHeaders
from failover_receiver.intake import Asked, Intake, Way
from failover_receiver.routes.documents import REFUSED

OBSERVERS = (Role.OPERATOR, Role.PROMETHEUS)
ANYBODY = frozenset(Role)

WITH_A_BUNDLE = ("POST", "/v1/enrol")
PASSED_ON = frozenset(
    {WITH_A_BUNDLE, *(("GET", f"/v1/{path}") for path in ("places", "places/events", "self", "signing-key"))}
)
"""All else that a daemon asks: it may have a follower's URL as its only one."""

UNHEARD = "nothing was heard from a receiver yet: ask again soon, or ask another"


def create(
    edge: Edge, passing: Passing, forward: ASGIApp, *, open_health: bool, most_streams: int
) -> "Unheard":
    """A follower's whole HTTP face."""
    app = _app(edge, passing, Elsewhere(edge, forward), open_health)
    return Unheard(edge, app, Doorway(edge, app, most_streams=most_streams))


def create_inner(edge: Edge, passing: Passing, forward: ASGIApp, *, most_streams: int) -> Doorway:
    """Of a process beside the one that decides, which has the last word in all that this one refuses."""
    app = _bare()
    app.router.default = forward
    guarded = _guarded(_Inner(app, forward), edge, passing)
    return Doorway(edge, _Inner(guarded, forward), most_streams=most_streams)


class Unheard:
    """Until it is known who may have what, nobody's token is wrong, and nobody's is right. Bare ASGI."""

    def __init__(self, edge: Edge, health: ASGIApp, app: ASGIApp) -> None:
        """Let everything through to the application from then on, and to its health always."""
        self._ready = edge.ready
        self._health = health
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Not a coroutine itself: each open stream would keep it."""
        if self._ready.is_set():
            return self._app(scope, receive, send)
        if scope.get("path") in {"/livez", "/readyz"}:
            return self._health(scope, receive, send)
        answer = JSONResponse({"error": UNHEARD}, 503, headers={"Retry-After": "1"})
        return answer(scope, receive, send)


class Elsewhere:
    """What a follower does not answer itself. Bare ASGI."""

    def __init__(self, edge: Edge, forward: ASGIApp) -> None:
        """Pass on what a daemon needs, by this."""
        self._edge = edge
        self._forward = forward

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if REFUSED in scope:
            raise scope[REFUSED]
        asked = Request(scope)
        if (asked.method, asked.url.path) not in PASSED_ON:
            return await _elsewhere(asked)(scope, receive, send)
        if (asked.method, asked.url.path) != WITH_A_BUNDLE:
            await self._edge.gate.allow(*ANYBODY)(asked)
        return await self._forward(scope, receive, send)


class _Inner:
    """What is refused unread is decided by the one that decides: it may know of a token a moment earlier."""

    def __init__(self, app: ASGIApp, forward: ASGIApp) -> None:
        self._app = app
        self._forward = forward

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        refused = scope.get(REFUSED)
        was_read = refused is None or isinstance(refused, RequestValidationError)
        return (self._app if was_read else self._forward)(scope, receive, send)


def _elsewhere(asked: Request) -> JSONResponse:
    error = (
        f"this is a follower, which has the documents and takes acks: {asked.method} {asked.url.path} is for the "
        "receiver itself, at its own URL"
    )
    return JSONResponse({"error": error}, 421)


def _bare() -> FastAPI:
    app = FastAPI(title="wgfleet follower", docs_url=None, redoc_url=None, openapi_url=None)
    answer_errors(app)

    @app.post(PATH)
    def refused(request: Request) -> None:
        raise request.scope[REFUSED]  # What is wrong with an ack; all else the intake has taken.

    return app


def _guarded(app: ASGIApp, edge: Edge, passing: Passing) -> ASGIApp:
    intake = Intake(app, gate=edge.gate, ways={PATH: _acks(passing)})
    return SecurityHeaders(BodyLimits(intake, gate=edge.gate, clock=edge.clock))


def _app(edge: Edge, passing: Passing, elsewhere: ASGIApp, open_health: bool) -> ASGIApp:
    app = _bare()

    async def pass_on(acks: Sequence[batch.PassedAck]) -> list[Answer]:
        said = [(one.token.get_secret_value(), _as_sent(one.ack)) for one in acks]
        return await asyncio.gather(*(passing.pass_on(*one) for one in said))

    for part in (batch.routes(edge.gate, edge.source, pass_on), _health(edge, open_health)):
        app.include_router(part)
    app.router.default = elsewhere
    return _guarded(app, edge, passing)


def _as_sent(ack: AckBody) -> dict[str, Any]:
    return ack.model_dump(mode="json", exclude_unset=True)


def _acks(passing: Passing) -> Way:
    async def take(asked: Asked) -> Response:
        answer = await passing.pass_on(asked.token, _as_sent(await asked.carried(AckBody)))
        if answer.status == TAKEN:
            return Response(status_code=TAKEN)
        headers = {"Retry-After": "1"} if answer.status >= 500 else {}
        return JSONResponse({"error": answer.error}, answer.status, headers=headers)

    return Way(ACKERS, take)


def _health(edge: Edge, open_health: bool) -> APIRouter:
    router = APIRouter()
    observers = [] if open_health else [Depends(edge.gate.allow(*OBSERVERS))]

    @router.get("/livez")
    def livez() -> dict[str, str]:
        return {"status": "alive"}

    @router.get("/readyz")
    def readyz() -> JSONResponse:
        return JSONResponse(standing(edge), 200 if edge.ready.is_set() else 503)

    @router.get("/metrics", dependencies=observers)
    def metrics() -> Response:
        own = edge.publication.watchers + edge.client_list.watchers
        edge.metrics.watchers.set(own + edge.metrics.beside.watchers)
        edge.metrics.followers.set(edge.source.followers)
        return PlainTextResponse(generate_latest(edge.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router


def standing(edge: Edge) -> dict[str, object]:
    """What `/readyz` says: 200 as long as there is something to serve, whoever is away."""
    link, said, now = edge.link, edge.standing, edge.clock()
    if not edge.ready.is_set():
        return {"status": "unheard", "error": UNHEARD}
    newest = edge.peer_set
    return {
        "status": "live" if said.live else "alone",
        "hops": said.hops,
        "since_seconds": round(max(0.0, now - link.since), 1),
        "fresh": newest is not None and now < newest.fresh_until,
    }
