"""The HTTP face: all routes."""

from fastapi import FastAPI

from failover_receiver import acking, webhooks
from failover_receiver.answers import answer_errors
from failover_receiver.bodies import BodyLimits
from failover_receiver.description import describe
from failover_receiver.headers import SecurityHeaders
from failover_receiver.intake import Intake
from failover_receiver.page import routes as page
from failover_receiver.receiver import Receiver
from failover_receiver.routes import (
    arriving,
    clients,
    discovery,
    doctor,
    documents,
    enrolments,
    following,
    health,
    leaving,
    operators,
    places,
    simulations,
    tokens,
)
from wgfleet import __version__


def create_app(receiver: Receiver) -> FastAPI:
    """All routes on a wired receiver."""
    app = FastAPI(title="wgfleet receiver", version=__version__, docs_url=None, redoc_url=None)
    for part in (
        arriving,
        documents,
        following,
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
    ways = {webhooks.PATH: webhooks.way(receiver), acking.PATH: acking.way(receiver)}
    app.add_middleware(Intake, gate=receiver.gate, ways=ways)
    app.add_middleware(BodyLimits, gate=receiver.gate, clock=receiver.driver.clock)
    app.add_middleware(SecurityHeaders)  # Around the limits: a refusal has them too.
    answer_errors(app)
    return app
