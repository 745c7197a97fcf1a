"""One answer for each kind of error, of the receiver as of its followers."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from failover_receiver.access import DeniedError
from failover_receiver.faults import worded
from failover_receiver.state import RefusedError, UnknownError
from failover_receiver.store import StoreUnavailableError


def answer_errors(app: FastAPI) -> None:
    """Let an application answer all its errors so."""
    app.add_exception_handler(DeniedError, _denied)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(UnknownError, _unknown)
    app.add_exception_handler(StoreUnavailableError, _unavailable)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _no_such_route)


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
