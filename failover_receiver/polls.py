"""uvicorn's protocol, which answers a poll that finds nothing new by itself.

Such an answer waits for nothing and is known before it is asked for: a task, a request's state and a look at each header of
the answer, as uvicorn has them for all requests, would be half of what it costs. Whatever is special in a request, or is no
304, goes uvicorn's way.
"""

from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from failover_receiver.access import Gate, Role, digest
from failover_receiver.publication import Publication

PLAIN = frozenset(
    {b"host", b"authorization", b"if-none-match", b"user-agent", b"accept", b"accept-encoding", b"connection"}
)
"""Headers that change nothing for a 304, once the parser has seen that the connection goes on. Any other is left to uvicorn."""


class Polls:
    """Which polls find nothing new, of one document."""

    def __init__(self, path: str, publication: Publication, gate: Gate, readers: frozenset[Role]) -> None:
        """Answer for this path, to these roles."""
        self._url = path.encode()
        self._publication = publication
        self._gate = gate
        self._readers = readers

    def answer(self, url: bytes, headers: list[tuple[bytes, bytes]]) -> bytes | None:
        """The 304's lines, but for what the server adds to each answer; None: not here."""
        shown = self._publication.shown
        if url != self._url or shown is None:
            return None
        authorization = tag = b""
        for name, value in headers:
            if name == b"authorization":
                authorization = value
            elif name == b"if-none-match":
                tag = value
            elif name not in PLAIN:
                return None
        if tag != shown.tag or not self._opens(authorization.decode("latin-1")):
            return None
        return shown.not_modified_lines

    def _opens(self, authorization: str) -> bool:
        # Asked first, because a refusal is counted, and is uvicorn's way's to give.
        scheme, _, token = authorization.partition(" ")
        holder = self._gate.holder(digest(token)) if scheme == "Bearer" else None
        if holder is None or holder.role not in self._readers:
            return False
        self._gate.admit(authorization, self._readers)
        return True


class PollProtocol(HttpToolsProtocol):
    """One connection."""

    polls: ClassVar[Polls]
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
        added = [b"%s: %s\r\n" % header for header in self.server_state.default_headers]
        self.transport.write(b"".join([self._answer, *added, b"\r\n"]))
        self._answer = None
        self.on_response_complete()

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
