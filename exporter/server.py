"""Hands the page out over HTTP.

The standard library's server, with what a machine in trouble needs: it looks up no name when it starts (http.server
asks DNS for its own, and hangs where DNS is dead), and a reader who stops reading is cut off.
"""

import errno
import socket
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app

READER_TIMEOUT_SECONDS = 10.0
"""Prometheus' default scrape timeout: whoever takes longer has given up."""

INDEX = b"""<!doctype html>
<title>wgfleet-exporter</title>
<h1>wgfleet-exporter</h1>
<p><a href="/metrics">Metrics</a> of this machine's WireGuard interfaces, for Prometheus.</p>
"""


class ListenError(RuntimeError):
    """The address cannot be listened on; the text says why and what to do."""


def application(registry: CollectorRegistry) -> WSGIApplication:
    """`/metrics`, a page that leads there, and nothing else."""
    metrics: WSGIApplication = make_wsgi_app(registry)

    def route(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/metrics":
            return metrics(environ, start_response)
        if environ["PATH_INFO"] == "/":
            start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
            return [INDEX]
        start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"Not here: the metrics are at /metrics\n"]

    return route


@contextmanager
def serving(app: WSGIApplication, host: str, port: int) -> Iterator[str]:
    """Serve in threads until the end of the block; gives the URL.

    Raises:
        ListenError: there is no such address here, or the port is taken.

    """
    try:
        server = _Server(host, port, app)
    except OSError as error:
        raise ListenError(_explain(error, host, port)) from None
    thread = threading.Thread(target=server.serve_forever, name="server")
    thread.start()
    try:
        yield f"http://{_written(host, server.server_port)}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True  # A reader that hangs must not keep the exporter from ending.
    request_queue_size = 64  # The default, 5, drops connections when many knock at once.

    def __init__(self, host: str, port: int, app: WSGIApplication) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family = found[0][0]
        super().__init__((str(found[0][4][0]), port), _Request)
        self.set_app(app)

    def server_bind(self) -> None:
        """Bind, and leave DNS alone."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print no traceback because a reader went away."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Request(WSGIRequestHandler):
    timeout = READER_TIMEOUT_SECONDS

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
