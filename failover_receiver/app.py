"""The HTTP face: routes, and one answer for each kind of error."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from failover_receiver.access import DeniedError
from failover_receiver.bodies import BodyLimits
from failover_receiver.description import describe
from failover_receiver.faults import worded
from failover_receiver.headers import SecurityHeaders
from failover_receiver.intake import Intake
from failover_receiver.page import routes as page
from failover_receiver.receiver import Receiver
from failover_receiver.routes import (
    alerting,
    clients,
    discovery,
    doctor,
    documents,
    enrolments,
    health,
    leaving,
    operators,
    places,
    simulations,
    tokens,
)
from failover_receiver.state import RefusedError, UnknownError
from failover_receiver.store import StoreUnavailableError
from wgfleet import __version__


def create_app(receiver: Receiver) -> FastAPI:
    """All routes on a wired receiver."""
    app = FastAPI(title="wgfleet receiver", version=__version__, docs_url=None, redoc_url=None)
    for part in (
        alerting,
        documents,
        operators,
        leaving,
        clients,
        places,
        enrolments,
        tokens,
        discovery,
        health,
        simulations,
        doctor,
        page,
    ):
        app.include_router(part.routes(receiver))
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    app.add_middleware(Intake, receiver=receiver)
    app.add_middleware(BodyLimits, gate=receiver.gate, clock=receiver.driver.clock)
    app.add_middleware(SecurityHeaders)  # Around the limits: a refusal has them too.
    app.add_exception_handler(DeniedError, _denied)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(UnknownError, _unknown)
    app.add_exception_handler(StoreUnavailableError, _unavailable)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _no_such_route)
    return app


def _denied(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DeniedError)  # noqa: S101 - it is the handler of no other.
    return JSONResponse({"error": str(error)}, status_code=error.status, headers=error.headers)


def _refused(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, status_code=409)


def _unknown(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, status_code=404)


def _unavailable(_request: Request, error: Exception) -> JSONResponse:
    # Alertmanager tries again after a 5xx, and never after a 4xx.
    return JSONResponse({"error": str(error)}, status_code=503, headers={"Retry-After": "1"})


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    return JSONResponse({"error": "; ".join(map(worded, faults))}, status_code=422)


def _no_such_route(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 404
    said = f"there is no {request.method} {request.url.path} here; GET /openapi.json lists all routes"
    if isinstance(error, HTTPException) and status not in {404, 405}:  # Those are the router's.
        said = error.detail  # A body that is not even text, or too long.
    headers = error.headers if isinstance(error, HTTPException) else None
    return JSONResponse({"error": said}, status_code=status, headers=headers)
