"""The two documents' way out, in front of all other routes: bare ASGI, because each is asked for by thousands.

What FastAPI does for a request costs more than these answers do, and what it keeps of one is kept for each open
stream. Whoever is refused is passed on to the application with the reason, and refused by it.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from fastapi import HTTPException
from starlette.types import ASGIApp, Receive, Scope

from failover_receiver.access import DeniedError, Gate, Holder, Role
from failover_receiver.app import create_app
from failover_receiver.beats import Beats, header
from failover_receiver.lines import END, Message, Send, line_of
from failover_receiver.packing import Packing, wanted
from failover_receiver.publication import JOSE, Publication, Shown
from failover_receiver.receiver import Receiver
from failover_receiver.routes.documents import REFUSED
from failover_receiver.state import UnknownError
from failover_receiver.watchers import Watcher
from wgfleet.standing import Standing

METHODS = ("GET", "HEAD")
PEER_SET = "/v1/peer-set"
PEER_SET_READERS = frozenset({Role.CLIENT, Role.WORKER, Role.VANTAGE, Role.OPERATOR})
CLIENT_LIST_READERS = frozenset({Role.WORKER, Role.OPERATOR})
STREAM: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),  # nginx would keep events until it has 4 kB of them.
    ],
}


class Shows(Protocol):
    """A receiver, or who follows one."""

    @property
    def publication(self) -> Publication:
        """The peer set."""

    @property
    def client_list(self) -> Publication:
        """What workers follow."""

    @property
    def gate(self) -> Gate:
        """Who may have them."""

    @property
    def standing(self) -> Standing:
        """Whether they may be old."""


Way = Callable[[Scope, Receive, Send], Awaitable[None]]


class Doorway:
    """Answers for the documents, and passes on all else."""

    def __init__(self, receiver: Shows, behind: ASGIApp, *, most_streams: int | None = None) -> None:
        """Stand in front of an application. More streams than that would take the webhook's file descriptors."""
        self._behind = behind
        peers = Exit(receiver, receiver.publication, PEER_SET_READERS, behind,
                     first="add a worker", most_streams=most_streams)  # fmt: skip
        clients = Exit(receiver, receiver.client_list, CLIENT_LIST_READERS, behind,
                       first="add a client", most_streams=most_streams)  # fmt: skip
        self._ways: Mapping[str, Way] = {
            PEER_SET: peers.document,
            f"{PEER_SET}/events": peers.events,
            "/v1/client-list": clients.document,
            "/v1/client-list/events": clients.events,
        }

    def __call__(self, scope: Scope, receive: Receive, send: Any) -> Awaitable[None]:
        """Not a coroutine itself: each open stream would keep it."""
        way = self._ways.get(scope.get("path", ""))
        if way is None or scope["method"] not in METHODS:
            return self._behind(scope, receive, send)
        return way(scope, receive, send)


def create(receiver: Receiver, *, most_streams: int | None = None) -> Doorway:
    """The whole HTTP face of a wired receiver."""
    return Doorway(receiver, create_app(receiver), most_streams=most_streams)


class Exit:
    """One document's routes: as it is, and as a stream of events."""

    def __init__(
        self,
        receiver: Shows,
        publication: Publication,
        readers: frozenset[Role],
        behind: ASGIApp,
        *,
        first: str,
        most_streams: int | None,
    ) -> None:
        """Show a publication to these roles; `first` is what has to be done before there is anything in it."""
        self._receiver = receiver
        self._publication = publication
        self._gate = receiver.gate
        self._readers = readers
        self._first = first
        self._behind = behind
        self._most = most_streams
        self._packing = Packing()
        publication.streams.beats = Beats(lambda: receiver.standing)
        self._gate.follow(self._end_unknown)
        self._end_unknown()

    async def document(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The signed document; 304 if the caller's If-None-Match has it already."""
        asked = dict(scope["headers"])
        try:
            self._admit(scope, asked)
            shown = self._shown()
        except (DeniedError, UnknownError) as error:
            await self._behind({**scope, REFUSED: error}, receive, send)
            return
        tags = asked.get(b"if-none-match")
        if tags is not None and has(tags, shown.tag):
            await send(self._head(shown.not_modified))
            await send(END)
        elif wanted(shown, asked.get(b"accept-encoding", b"")):
            packed = await self._packing.packed(shown)
            await send(self._head(packed_head(shown, packed)))
            await send({**END, "body": packed})
        else:
            await send(self._head(shown.found))
            await send(shown.body)

    async def events(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The signed document now and after every change, as server-sent events."""
        try:
            holder = self._admit(scope, dict(scope["headers"]))
            self._has_room()
        except (DeniedError, HTTPException) as error:
            await self._behind({**scope, REFUSED: error}, receive, send)
            return
        await send(STREAM)
        if scope["method"] == "HEAD":
            await send(END)
            return
        scope["headers"].clear()  # Nobody needs them any more, and there are thousands.
        streams, watcher = self._publication.streams, Watcher(line_of(send), holder)
        streams.join(watcher)
        try:
            while (await receive())["type"] != "http.disconnect":
                pass  # A body that nobody asked for.
        finally:
            streams.leave(watcher)

    def _admit(self, scope: Scope, asked: Mapping[bytes, bytes]) -> Holder:
        authorization = asked.get(b"authorization", b"").decode("latin-1")
        client = scope["client"]
        return self._gate.admit(authorization, self._readers, address=client[0] if client else "")

    def _shown(self) -> Shown:
        if self._publication.shown is None:
            raise UnknownError(f"nothing is published yet: {self._first} first")
        return self._publication.shown

    def _head(self, head: Message) -> Message:
        """With what there is to say of how we stand."""
        more = header(self._receiver.standing)
        return {**head, "headers": [*head["headers"], *more]} if more else head

    def _has_room(self) -> None:
        if self._most is not None and self._publication.watchers >= self._most:
            reason = f"{self._most} streams are open, which is all that the limit of open files allows: raise LimitNOFILE"
            raise HTTPException(503, reason, {"Retry-After": "10"})

    def _end_unknown(self) -> None:
        self._publication.streams.end_unknown(self._gate.knows)


def packed_head(shown: Shown, packed: bytes) -> Message:
    """Its tag is a weak one: the same document in other bytes."""
    headers = [
        (b"etag", b"W/" + shown.tag),
        (b"cache-control", b"no-cache"),
        (b"vary", b"accept-encoding"),
        (b"content-type", JOSE),
        (b"content-encoding", b"gzip"),
        (b"content-length", b"%d" % len(packed)),
    ]
    return {"type": "http.response.start", "status": 200, "headers": headers}


def has(tags: bytes, etag: bytes) -> bool:
    """Whether an If-None-Match names that tag, strong or weak, alone or among others; `*` names any."""
    if tags == etag:
        return True
    return any(tag.strip().removeprefix(b"W/") in (etag, b"*") for tag in tags.split(b","))
