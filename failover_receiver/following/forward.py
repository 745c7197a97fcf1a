"""Passes requests on to the receiver, as they are, and its answers back as they come."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import httpx
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from failover_receiver.following.passing import AWAY
from wgfleet.logs import say

log = logging.getLogger(__name__)

HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer",
     b"transfer-encoding", b"upgrade", b"expect"}
)  # fmt: skip
"""Headers of one connection (RFC 9110, section 7.6.1)."""

ADDED = frozenset({b"date", b"server"})
"""Said by each server itself."""

EVENTS = "text/event-stream"

OURS = frozenset({b"x-forwarded-for", b"x-forwarded-proto"})
"""Said anew: by then it is known who asks."""

TIMEOUT = httpx.Timeout(30.0, connect=3.0, read=60.0)
"""Seconds. Streams have a heartbeat each ten."""


class Forward:
    """Bare ASGI."""

    def __init__(
        self, http: httpx.AsyncClient, receiver: Callable[[], str | None], *, keep_host: bool
    ) -> None:
        """Pass on to the base URL that this returns; None: nobody is there. Whether the host that was asked is told."""
        self._http = http
        self._receiver = receiver
        self._left_out = HOP_BY_HOP | OURS | (frozenset() if keep_host else {b"host"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        asked = Request(scope, receive)
        try:
            answer = await self._answer(asked)
        except ClientDisconnect:
            return
        await answer(scope, receive, send)

    async def _answer(self, asked: Request) -> Response:
        receiver = self._receiver()
        if receiver is None:
            return away()
        body = await asked.body()
        url = httpx.URL(receiver).copy_with(raw_path=_target(asked.scope))
        request = httpx.Request(asked.method, url, headers=self._headers(asked), content=body)
        request.extensions["timeout"] = TIMEOUT.as_dict()
        try:
            answer = await self._http.send(request, stream=True)
            if answer.headers.get("content-type", "").startswith(EVENTS):
                return _answered(StreamingResponse(_stream(answer), answer.status_code), answer)
            async with aclosing(answer):
                # The whole of it first: one that breaks off must not be taken for the whole.
                said = b"".join([chunk async for chunk in answer.aiter_raw()])
            return _answered(Response(said, answer.status_code), answer)
        except httpx.HTTPError as error:
            say(log, "not passed on", level=logging.WARNING, path=asked.url.path, error=repr(error))
            return away()

    def _headers(self, asked: Request) -> list[tuple[bytes, bytes]]:
        headers = [one for one in asked.headers.raw if one[0] not in self._left_out]
        if asked.client is not None:
            headers.append((b"x-forwarded-for", asked.client.host.encode()))
        headers.append((b"x-forwarded-proto", asked.scope["scheme"].encode()))
        return headers


def away() -> JSONResponse:
    """What is said while nobody can be asked."""
    error = "the receiver is away, and a follower cannot answer this itself: ask again later"
    return JSONResponse({"error": error}, AWAY.status, headers={"Retry-After": "1"})


def _target(scope: Scope) -> bytes:
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return path + b"?" + query if query else path


def _answered(ours: Response, theirs: httpx.Response) -> Response:
    """With the headers of the one that was passed on, and no others."""
    headers = [(name.lower(), value) for name, value in theirs.headers.raw]
    ours.raw_headers = [one for one in headers if one[0] not in HOP_BY_HOP | ADDED]
    return ours


async def _stream(answer: httpx.Response) -> AsyncIterator[bytes]:
    """As it comes. Streams may end at any time, and are asked for again."""
    async with aclosing(answer):
        try:
            async for chunk in answer.aiter_raw():
                yield chunk
        except httpx.HTTPError as error:
            say(log, "a stream that was passed on has ended", error=repr(error))
