"""A real HTTP server that takes what is sent to it, and answers as a test says."""

import contextlib
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.lab.authority import Authority


@dataclass(frozen=True)
class Taken:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    """By their names in lower case."""
    body: bytes


class Taking(ThreadingHTTPServer):
    """On a port of its own."""

    daemon_threads = True

    def __init__(self) -> None:
        """Answer 200."""
        super().__init__(("127.0.0.1", 0), _Answer)
        self.taken: list[Taken] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.scheme = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever broke a connection off, as a client that trusts nobody, meant it."""


class _Answer(BaseHTTPRequestHandler):
    server: Taking

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.taken.append(Taken(self.command, self.path, headers, body))
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()

    do_POST = do_PUT = do_GET = _take  # noqa: N815 - The library's names.

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name.
        """Tests are quiet."""


@contextlib.contextmanager
def taking(authority: Authority | None = None) -> Iterator[Taking]:
    """One that runs until it is left; over TLS with a certificate of that authority."""
    with Taking() as server:
        if authority is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*authority.sign("server", "127.0.0.1"))
            server.socket = context.wrap_socket(server.socket, server_side=True)
            server.scheme = "https"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def file(directory: Path, name: str, content: str) -> Path:
    """A file with that content."""
    path = directory / name
    path.write_text(content)
    return path
