"""Debian's Prometheus and blackbox exporter on ports of their own, for tests that ask the real ones."""

import socket
import subprocess
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.failover_receiver.alertmanager import NotHereError
from tests.failover_receiver.parts import LIMIT
from tests.lab.programs import MissingProgramError, program
from tests.lab.waiting import wait_until


class Daemon:
    """One program that listens on loopback; `close` ends it."""

    def __init__(self, name: str, arguments: Sequence[str], directory: Path, *, ready: str) -> None:
        """Start it and wait until it has logged that it is ready."""
        try:
            command = [program(name), *arguments]
        except MissingProgramError as error:
            raise NotHereError(str(error)) from None
        self.log = directory / f"{name}.log"
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        wait_until(lambda: ready in self.log.read_text() or self._process.poll() is not None, LIMIT, ready)
        if ready not in self.log.read_text():
            self.close()
            raise NotHereError(f"{name} did not start: {self.log.read_text()}")

    @property
    def url(self) -> str:
        """Where it listens, by its log."""
        line = next(line for line in self.log.read_text().splitlines() if 'msg="Listening on"' in line)
        return f"http://{line.split('address=')[1].split()[0]}"

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(LIMIT)


def prometheus(directory: Path, configuration: str, *flags: str, port: int = 0) -> Daemon:
    """Prometheus with this configuration; its files are in the folder."""
    (directory / "prometheus.yml").write_text(configuration)
    arguments = (
        f"--config.file={directory}/prometheus.yml",
        f"--storage.tsdb.path={directory}/prometheus",
        f"--web.listen-address=127.0.0.1:{port}",
        *flags,
    )
    return Daemon("prometheus", arguments, directory, ready="Server is ready to receive web requests")


def blackbox(directory: Path, configuration: str) -> Daemon:
    """The blackbox exporter with this configuration."""
    (directory / "blackbox.yml").write_text(configuration)
    arguments = (
        f"--config.file={directory}/blackbox.yml",
        "--web.listen-address=127.0.0.1:0",
        "--timeout-offset=0.05",
    )
    return Daemon("prometheus-blackbox-exporter", arguments, directory, ready='msg="Listening on"')


def free_port() -> int:
    """One that nobody has at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


class Page(ThreadingHTTPServer):
    """An exporter's page that says what a test wants."""

    daemon_threads = True

    def __init__(self, text: str, address: str = "127.0.0.1", port: int = 0) -> None:
        """Serve until it is closed."""
        super().__init__((address, port), _Page)
        self.text = text
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"{self.server_address[0]!s}:{self.server_port}"

    def close(self) -> None:
        """Serve no more."""
        self.shutdown()
        self._thread.join(LIMIT)
        self.server_close()


class _Page(BaseHTTPRequestHandler):
    server: Page

    def do_GET(self) -> None:
        """Show the page."""
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(self.server.text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name.
        """Say nothing."""
