"""How much anybody may send. Bare ASGI around everything else: what is too long is refused before any of it is parsed."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from failover_receiver.access import DeniedError, Gate, Role
from failover_receiver.limits import Seldom
from wgfleet.logs import say

log = logging.getLogger(__name__)
KIB = 1024
MIB = 1024 * KIB

SMALL = 64 * KIB
"""Bytes. An operator's wish or a client's ack has a few hundred; and all that is taken of somebody unknown."""

LARGE: Mapping[str, int] = {
    "/v1/alerts": 8 * MIB,  # A thousand alerts of ours in one webhook have 0.6 MB.
    "/v1/simulations": 8 * MIB,  # The same alerts, from a file.
    "/v1/acks/batch": 8 * MIB,  # Of a follower's clients, some thousand at once.
    "/v1/clients": 16 * MIB,  # Some ten thousand clients with their keys and addresses, imported at once.
}
"""Bytes, by path. Only a known token may send more than SMALL."""

DRAIN_SECONDS = 2.0
"""A sender that only listens once it has said everything is heard out for so long, or it would see a broken connection."""


class BodyLimits:
    """Answers 413 in place of an application that would read too much."""

    def __init__(self, app: ASGIApp, *, gate: Gate, clock: Callable[[], float]) -> None:
        """Guard this application."""
        self._app = app
        self._gate = gate
        self._clock = clock
        self._seldom = Seldom()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        declared = _header(scope, b"content-length")
        if declared is None and _header(scope, b"transfer-encoding") is not None:
            return await self._chunked(scope, receive, send)
        # The server has seen to it that it is a number, and that no more than that comes.
        size = int(declared) if declared is not None and declared.isdigit() else 0
        if size > SMALL and (refusal := self._refusal(scope, size)):
            return await _refuse(refusal, scope, receive, send)
        return await self._app(scope, receive, send)

    async def _chunked(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read it here, where it can be refused half-way, and hand it on in one piece."""
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > SMALL and (refusal := self._refusal(scope, len(body))):
                return await _refuse(refusal, scope, receive, send)
        return await self._app(scope, _replayed(bytes(body), receive), send)

    def _refusal(self, scope: Scope, size: int) -> JSONResponse | None:
        """What is said to somebody who sends so much; None: it may come."""
        address = scope["client"][0] if scope.get("client") else ""
        try:
            shown = (_header(scope, b"authorization") or b"").decode("latin-1")
            self._gate.admit(shown, frozenset(Role), address=address)
        except DeniedError as error:
            return _answer(error.status, str(error), error.headers)
        limit = LARGE.get(scope["path"], SMALL)
        if size <= limit:
            return None
        if self._seldom.now(address, now=self._clock()):
            say(log, "body too long", level=logging.WARNING, address=address, path=scope["path"],
                limit=limit)  # fmt: skip
        return _answer(413, f"the body has more than {limit} bytes, which is the most for {scope['path']}")


def _header(scope: Scope, name: bytes) -> bytes | None:
    return next((value for key, value in scope["headers"] if key == name), None)


def _answer(status: int, error: str, headers: Mapping[str, str] = MappingProxyType({})) -> JSONResponse:
    return JSONResponse({"error": error}, status, headers={"Connection": "close", **headers})


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body at first, then whatever else comes."""
    left: list[Message] = [{"type": "http.request", "body": body}]

    async def replay() -> Message:
        return left.pop() if left else await receive()

    return replay


async def _refuse(answer: JSONResponse, scope: Scope, receive: Receive, send: Send) -> None:
    """Say it at once, then hear the sender out for a while before the connection ends."""

    async def send_unfinished(message: Message) -> None:
        await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

    await answer(scope, receive, send_unfinished)
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            await _drain(receive)
    await send({"type": "http.response.body", "body": b""})


async def _drain(receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return
