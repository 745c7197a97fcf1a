"""uvicorn's protocol, which answers a poll that finds nothing new by itself.

Such an answer waits for nothing and is known before it is asked for: a task, a request's state and a look at each header of
the answer, as uvicorn has them for all requests, would be half of what it costs. Whatever is special in a request, or is no
304, goes uvicorn's way; so does everything while there is something to say of how we stand.
"""

from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from failover_receiver.access import Role
from failover_receiver.doorway import Shows

PLAIN = frozenset(
    {b"host", b"authorization", b"if-none-match", b"user-agent", b"accept", b"accept-encoding", b"connection"}
)
"""Headers that change nothing for a 304, once the parser has seen that the connection goes on. Any other is left to uvicorn."""

BEARER = b"Bearer "


class Polls:
    """Which polls find nothing new."""

    def __init__(self, path: str, shows: Shows, readers: frozenset[Role]) -> None:
        """Answer for the peer set, which is at this path, to these roles."""
        self._url = path.encode()
        self._shows = shows
        self._readers = readers

    def answer(self, url: bytes, headers: list[tuple[bytes, bytes]]) -> bytes | None:
        """The 304's lines, but for what the server adds to each answer; None: not here."""
        shown = self._shows.publication.shown
        if url != self._url or shown is None or not self._shows.standing.live:
            return None
        authorization = tag = b""
        for name, value in headers:
            if name == b"authorization":
                authorization = value
            elif name == b"if-none-match":
                tag = value
            elif name not in PLAIN:
                return None
        # The tag first: a token that is refused is counted, and that is uvicorn's way's to do.
        if tag != shown.tag or not authorization.startswith(BEARER):
            return None
        opens = self._shows.gate.lets_in(authorization[len(BEARER) :], self._readers)
        return shown.not_modified_lines if opens else None


class PollProtocol(HttpToolsProtocol):
    """One connection."""

    polls: ClassVar[Polls]
    _made: ClassVar[tuple[object, bytes]] = (None, b"")
    """The headers that the server adds, and the same as bytes."""
    _answer: bytes | None = None

    def on_headers_complete(self) -> None:
        """Decide whose request it is."""
        self._answer = self.polls.answer(self.url, self.headers) if self._is_plain() else None
        if self._answer is None:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Answer, if it is ours."""
        if self._answer is None:
            super().on_message_complete()
            return
        self.transport.write(self._answer + self._added())
        self._answer = None
        self.on_response_complete()

    def _added(self) -> bytes:
        """What the server adds to each answer, and their end; uvicorn makes a new list of it each second."""
        headers = self.server_state.default_headers
        made = PollProtocol._made
        if made[0] is not headers:
            lines = [b"%s: %s\r\n" % header for header in headers]
            made = PollProtocol._made = (headers, b"".join([*lines, b"\r\n"]))
        return made[1]

    def _is_plain(self) -> bool:
        """A GET of HTTP/1.1 on a connection that goes on, and that no other answer is owed on."""
        parser = self.parser
        return (
            parser.get_method() == b"GET"
            and getattr(
                self.cycle, "response_complete", True
            )  # None before the first request that is uvicorn's.
            and not self.flow.write_paused
            and parser.should_keep_alive()
            and parser.get_http_version() == "1.1"
            and not parser.should_upgrade()
        )


def protocol(polls: Polls) -> type[PollProtocol]:
    """The protocol of a server that answers these."""
    return type("PollProtocol", (PollProtocol,), {"polls": polls})
