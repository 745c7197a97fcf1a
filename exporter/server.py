"""Hands the page out over HTTP or HTTPS.

The standard library's server, with what a machine in trouble needs: it looks up no name when it starts (http.server
asks DNS for its own, and hangs where DNS is dead), a reader who stops reading is cut off, a handshake is made in the
reader's own thread, and there are never more than so many threads.
"""

import contextlib
import errno
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from socketserver import TCPServer, ThreadingMixIn
from typing import IO, Any, cast
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from exporter.access import CERTIFICATE_NAMES
from exporter.tls import names_in

READER_TIMEOUT_SECONDS = 10.0
"""Prometheus' default scrape timeout: whoever is silent for longer has given up."""

CONNECTION_SECONDS = 60.0
"""For the whole of a connection, handshake to last byte: who sends or takes a byte now and then would else stay for ever
in one of few places. Prometheus' default scrape interval, and no scrape may take longer than its interval."""

CONNECTIONS = 64
"""Answered at once; more wait in the kernel's queue. Some Prometheis and people are a handful."""

LINGER_SECONDS = 1.0
"""For what a reader still sends after its answer. Closing on it would make the kernel take the answer back."""

LONGEST_LINE_BYTES = 65536
"""Of a request, as in http.server."""

PRODUCT = "wgfleet-exporter"

METHODS = ("GET", "HEAD")

WRONG_PROTOCOL = (
    b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    b"Client sent an HTTP request to an HTTPS server.\n"
)
"""In Go's words, which people look for."""

TlsContext = Callable[[], ssl.SSLContext]


class ListenError(RuntimeError):
    """The address cannot be listened on; the text says why and what to do."""


@contextmanager
def serving(
    app: WSGIApplication,
    host: str,
    port: int,
    *,
    tls: TlsContext | None = None,
    before: Callable[[], None] = lambda: None,
) -> Iterator[str]:
    """Serve in threads until the end of the block; gives the URL. `tls` is asked at each handshake.

    `before` is called when the port is ours and there is no thread yet, as one must be to enter a namespace.

    Raises:
        ListenError: there is no such address here, or the port is taken.

    """
    try:
        server = _Server(host, port, _reading_only(app), tls)
    except OSError as error:
        raise ListenError(_explain(error, host, port)) from None
    thread = threading.Thread(target=server.serve_forever, name="server")
    try:
        before()
    except BaseException:
        server.server_close()
        raise
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://{_written(host, server.server_port)}/"
    finally:
        server.ending.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _reading_only(app: WSGIApplication) -> WSGIApplication:
    """GET, and HEAD as the same without the body; what would change something is refused."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        if method not in METHODS:
            kind = ("Content-Type", "text/plain; charset=utf-8")
            start_response("405 Method Not Allowed", [("Allow", ", ".join(METHODS)), kind])
            return [b"Method Not Allowed: this can only be read\n"]
        return _head(app, environ, start_response) if method == "HEAD" else app(environ, start_response)

    return answer


def _head(app: WSGIApplication, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    said: list[Any] = []
    parts: list[bytes] = []

    def note(*start: Any) -> Callable[[bytes], object]:
        said[:] = start
        return parts.append

    answer = app({**environ, "REQUEST_METHOD": "GET"}, note)
    try:
        parts.extend(answer)
    finally:
        if hasattr(answer, "close"):
            answer.close()
    status, headers, *rest = said
    length = ("Content-Length", str(sum(map(len, parts))))
    start_response(status, [*(h for h in headers if h[0].lower() != "content-length"), length], *rest)
    return []


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True  # A reader that hangs must not keep the exporter from ending.
    block_on_close = False
    request_queue_size = 64  # The default, 5, drops connections when many knock at once.

    def __init__(self, host: str, port: int, app: WSGIApplication, tls: TlsContext | None = None) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family = found[0][0]
        self.ending = threading.Event()
        self.app = app
        self._tls = tls
        self._places = threading.Semaphore(CONNECTIONS)
        self._open: dict[socket.socket, float] = {}
        """When each connection is to be cut off, by a second hand on it that TLS does not take away."""
        super().__init__((str(found[0][4][0]), port), _Request)

    def server_bind(self) -> None:
        """Bind, and leave DNS alone."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def service_actions(self) -> None:
        """Cut off whoever has been there for too long; called twice a second."""
        now = time.monotonic()
        for connection in [one for one, until in list(self._open.items()) if until < now]:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Wait for a free place: the one who waits is the first, all others are in the kernel's queue."""
        while not self._places.acquire(timeout=0.1):
            self.service_actions()
            if self.ending.is_set():
                return False
        return super().verify_request(request, client_address)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the reader a thread; one that cannot be had takes no place."""
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer one reader, in its own thread."""
        try:
            # Of `dup`, when no file descriptor is left: this reader gets no answer, the next may have more luck.
            with contextlib.suppress(OSError), request.dup() as connection:
                self._open[connection] = time.monotonic() + CONNECTION_SECONDS
                try:
                    super().process_request_thread(request, client_address)
                    _linger(connection)
                finally:
                    del self._open[connection]
        finally:
            request.close()
            self._places.release()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands if that is asked for, and answer."""
        request.settimeout(_Request.timeout)
        if self._tls is None:
            super().finish_request(request, client_address)
            return
        with self._tls().wrap_socket(request, server_side=True, do_handshake_on_connect=False) as channel:
            try:
                channel.do_handshake()
            except ssl.SSLError as error:
                if error.reason == "HTTP_REQUEST":
                    _tell_plainly(channel)
                raise
            super().finish_request(channel, client_address)
            _say_goodbye(channel)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print no traceback because a reader went away."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def _tell_plainly(channel: ssl.SSLSocket) -> None:
    with contextlib.suppress(OSError), socket.socket(fileno=channel.detach()) as plain:
        plain.sendall(WRONG_PROTOCOL)


def _say_goodbye(channel: ssl.SSLSocket) -> None:
    """Say that this was all, so that nobody can have cut the answer short; and do not wait for the same."""
    channel.settimeout(0)
    with contextlib.suppress(OSError):
        channel.unwrap()


def _linger(connection: socket.socket) -> None:
    """Take what still comes, for a moment, and forget it."""
    until = time.monotonic() + LINGER_SECONDS
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        while (left := until - time.monotonic()) > 0:
            connection.settimeout(left)
            if not connection.recv(65536):
                return


class _Answer(ServerHandler):
    server_software = PRODUCT  # And not which Python this is.
    request_handler: "_Request"
    headers_sent: bool

    def log_exception(self, exc_info: Any) -> None:
        """Print no traceback because a reader went away. Before there were headers it was the application's own."""
        if not (self.headers_sent and isinstance(exc_info[1], OSError)):
            super().log_exception(exc_info)


class _Request(WSGIRequestHandler):
    server: _Server
    timeout = READER_TIMEOUT_SECONDS
    server_version = PRODUCT
    sys_version = ""

    def handle(self) -> None:
        """Answer one request, as the standard library does it but for _Answer."""
        self.raw_requestline = self.rfile.readline(LONGEST_LINE_BYTES + 1)
        if len(self.raw_requestline) > LONGEST_LINE_BYTES:
            self.requestline = self.request_version = self.command = ""
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
        elif self.parse_request():  # Which has answered where it is false.
            asked, said = cast("IO[bytes]", self.rfile), cast("IO[bytes]", self.wfile)
            answer = _Answer(asked, said, self.get_stderr(), self.get_environ(), multithread=True)
            answer.request_handler = self
            answer.run(self.server.app)

    def get_environ(self) -> dict[str, Any]:
        """What the application hears, with the names in the reader's certificate."""
        environ: dict[str, Any] = super().get_environ()
        if isinstance(self.connection, ssl.SSLSocket):
            environ[CERTIFICATE_NAMES] = names_in(self.connection.getpeercert() or {})
        return environ

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name.
        """Nothing: a line for each scrape would bury the others."""


def _explain(error: OSError, host: str, port: int) -> str:
    said = f"cannot listen on {_written(host, port)}: {error.strerror}"
    if isinstance(error, socket.gaierror):
        return f"{said}; an address of this machine was expected"
    if error.errno == errno.EADDRINUSE:
        return f"{said}; `ss -ltnp sport = :{port}` shows who has it"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{said}; `ip address` shows those of this machine"
    return said


def _written(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
