"""The way in for what comes by the thousand: bare ASGI before all other routes, for FastAPI takes longer for a request than we do.

Alertmanagers' webhooks come so, and clients' acks. Whatever goes wrong is passed on to the application with the reason, and answered by it as for every other route.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from failover_receiver.access import DeniedError, Gate, Holder, Role
from failover_receiver.carried import carried
from failover_receiver.routes.documents import REFUSED
from failover_receiver.state import RefusedError
from failover_receiver.store import StoreUnavailableError
from wgfleet.logs import say

log = logging.getLogger(__name__)
ANSWERED = (DeniedError, RefusedError, RequestValidationError, StoreUnavailableError)
"""By the application."""

Body = TypeVar("Body", bound=BaseModel)


class Asked:
    """One request whose sender was let in."""

    __slots__ = ("_content_type", "_receive", "holder", "token")

    def __init__(self, holder: Holder, asked: Mapping[bytes, bytes], receive: Receive) -> None:
        """Take its headers, and what receives the rest."""
        self.holder = holder
        self.token = _text(asked, b"authorization").partition(" ")[2].strip()
        self._content_type = _text(asked, b"content-type")
        self._receive = receive

    async def carried(self, model: type[Body]) -> Body:
        """Its body. Raises RequestValidationError, ClientDisconnect."""
        return await carried(self._receive, self._content_type, model)


@dataclass(frozen=True, slots=True)
class Way:
    """What is taken by POST at one path."""

    senders: frozenset[Role]
    take: Callable[[Asked], Awaitable[Response]]
    """It may raise what the application answers."""


class Intake:
    """Takes what has a way here, and passes on all else."""

    def __init__(self, app: ASGIApp, *, gate: Gate, ways: Mapping[str, Way]) -> None:
        """Stand before an application; the ways by their paths."""
        self._app = app
        self._gate = gate
        self._ways = ways

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        way = self._ways.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if way is None:
            return await self._app(scope, receive, send)
        try:
            answer = await way.take(self._admitted(way, scope, receive))
        except ANSWERED as error:
            return await self._app({**scope, REFUSED: error}, receive, send)
        except ClientDisconnect:
            return say(
                log, "a sender hung up before all was there", level=logging.WARNING, path=scope["path"]
            )
        return await answer(scope, receive, send)

    def _admitted(self, way: Way, scope: Scope, receive: Receive) -> Asked:
        asked: dict[bytes, bytes] = dict(scope["headers"])
        client: tuple[Any, ...] | None = scope["client"]
        address = client[0] if client else ""
        holder = self._gate.admit(_text(asked, b"authorization"), way.senders, address=address)
        return Asked(holder, asked, receive)


def _text(asked: Mapping[bytes, bytes], name: bytes) -> str:
    return asked.get(name, b"").decode("latin-1")
