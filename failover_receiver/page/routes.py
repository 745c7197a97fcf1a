"""`/` and what belongs to it: for operators to look at. Nothing can be changed here, so there is nothing to forge."""

import hashlib
import logging
import urllib.parse
from collections.abc import Mapping
from contextlib import suppress
from importlib import resources
from types import MappingProxyType
from typing import Literal, TypedDict

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, StreamingResponse

from failover_receiver.access import DeniedError, Holder, Role
from failover_receiver.page import rendering
from failover_receiver.page.feed import Feed
from failover_receiver.page.sessions import LIFETIME_SECONDS, Sessions
from failover_receiver.page.view import HISTORY_SHOWN, Known, View, view
from failover_receiver.receiver import Receiver
from failover_receiver.store import HistoryEvent, StoreUnavailableError
from wgfleet.logs import say

log = logging.getLogger(__name__)
TYPES = {"page.js": "text/javascript", "style.css": "text/css", "icon.svg": "image/svg+xml"}
PAGE_HEADERS = {
    # Nothing inline and nothing from elsewhere; forms go nowhere but here.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}
STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Page:
    """Its routes, as methods."""

    def __init__(self, receiver: Receiver) -> None:
        """Nobody looks yet."""
        self._receiver = receiver
        self._history: list[HistoryEvent] = []
        self._files = {name: static_file(name) for name in TYPES}
        self._sessions = Sessions(receiver.driver, receiver.gate)
        driver = receiver.driver
        self._feed = Feed(
            self._look, number=lambda: (driver.state.epoch, driver.state.generation), clock=driver.clock
        )
        receiver.gate.follow(self._feed.wake)
        receiver.streams.append(self._feed)

    async def show(self, request: Request) -> Response:
        """The page of now."""
        holder = await self._signed_in(request)
        if holder is None:
            return RedirectResponse("/sign-in", 303)
        return _html(rendering.page(await self._look(), holder=holder.name))

    async def events(self, request: Request) -> Response:
        """What changes of it, from now on."""
        holder = await self._signed_in(request)
        if holder is None:
            return JSONResponse({"error": "sign in at /sign-in first"}, 401)
        cookie = _cookie(request)
        stream = self._feed.follow(lambda: self._sessions.holder(cookie) == holder)
        return StreamingResponse(stream, media_type="text/event-stream", headers=STREAM_HEADERS)

    async def form(self, request: Request) -> Response:
        """Ask who it is."""
        if await self._signed_in(request) is not None:
            return RedirectResponse("/", 303)
        return _html(rendering.sign_in(self._receiver.settings.fleet))

    async def sign_in(self, request: Request) -> Response:
        """Take the token, and give a cookie for it."""
        gate, address = self._receiver.gate, "" if request.client is None else request.client.host
        try:
            holder = gate.recognise(_token(await request.body()), frozenset({Role.OPERATOR}), address=address)
        except DeniedError as error:
            form = rendering.sign_in(self._receiver.settings.fleet, error=_sentence(str(error)))
            # Not the header that a 401 to a program has: a browser would ask by itself.
            return _html(form, error.status, {} if error.status == 401 else error.headers)
        cookie = await self._sessions.open(holder)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(_cookie_name(request), cookie, max_age=LIFETIME_SECONDS, **_kept(request))
        say(log, "signed in to the page", name=holder.name, address=address)
        return answer

    async def sign_out(self, request: Request) -> Response:
        """The cookie opens nothing more, here and in every other window."""
        answer = RedirectResponse("/sign-in", 303)
        if (cookie := _cookie(request)) is not None:
            await self._sessions.close(cookie)
            self._feed.wake()
            answer.delete_cookie(_cookie_name(request), **_kept(request))
        return answer

    async def static(self, request: Request, name: str) -> Response:
        """What the page is made of: the same for everybody, so for anybody."""
        if name not in self._files:
            raise HTTPException(404)
        body, etag = self._files[name]
        headers = {"ETag": etag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(body, media_type=TYPES[name], headers=headers)

    async def _signed_in(self, request: Request) -> Holder | None:
        await self._sessions.load()
        return self._sessions.holder(_cookie(request))

    async def _look(self) -> View:
        """While the store is away, with the history as it was last read."""
        receiver, driver = self._receiver, self._receiver.driver
        with suppress(StoreUnavailableError):  # Whoever wants to write says so in the log.
            self._history = await driver.stored(lambda store: store.events(HISTORY_SHOWN))
        shown = receiver.client_list.shown
        known = Known(
            state=driver.state,
            policy=driver.policy,
            acks=receiver.acks,
            worker_acks=receiver.worker_acks,
            client_list=None if shown is None else (shown.document.epoch, shown.document.generation),
            loads=receiver.loads,
            history=self._history,
            doubt=receiver.doubt(),
        )
        return view(known, now=driver.clock())


def routes(receiver: Receiver) -> APIRouter:
    """The page, its stream, its form, and what it is made of. None of them is part of the API."""
    page = Page(receiver)
    router = APIRouter(include_in_schema=False)
    for method, path, endpoint in (
        ("GET", "/", page.show),
        ("GET", "/page/events", page.events),
        ("GET", "/page/{name}", page.static),
        ("GET", "/sign-in", page.form),
        ("POST", "/sign-in", page.sign_in),
        ("POST", "/sign-out", page.sign_out),
    ):
        router.add_api_route(path, endpoint, methods=[method], response_model=None)
    return router


def static_file(name: str) -> tuple[bytes, str]:
    """A file of the package, and its ETag."""
    body = (resources.files("failover_receiver.page") / "static" / name).read_bytes()
    return body, f'"{hashlib.sha256(body).hexdigest()}"'


def _by_tls(request: Request) -> bool:
    """To us, or to a proxy that we trust: the server has seen to that."""
    return request.url.scheme == "https"


def _cookie_name(request: Request) -> str:
    """Over TLS one that no plain page and no other host of the domain can set."""
    return "__Host-wgfleet" if _by_tls(request) else "wgfleet"


def _cookie(request: Request) -> str | None:
    return request.cookies.get(_cookie_name(request))


class _Kept(TypedDict):
    httponly: bool
    samesite: Literal["strict"]
    secure: bool


def _kept(request: Request) -> _Kept:
    """How a browser keeps the cookie: from scripts, from other sites, and from plain HTTP where there is TLS."""
    return {"httponly": True, "samesite": "strict", "secure": _by_tls(request)}


def _html(page: str, status: int = 200, headers: Mapping[str, str] = MappingProxyType({})) -> HTMLResponse:
    return HTMLResponse(page, status, headers={**PAGE_HEADERS, **headers})


def _token(body: bytes) -> str:
    """What was put into the form. Raises DeniedError."""
    try:
        said = urllib.parse.parse_qs(body.decode(), max_num_fields=10)
        return said["token"][0].strip()
    except (UnicodeDecodeError, ValueError, KeyError):
        raise DeniedError(401, "a token is needed: put the operator's into the field") from None


def _sentence(sentence: str) -> str:
    return f"{sentence[:1].upper()}{sentence[1:]}."
