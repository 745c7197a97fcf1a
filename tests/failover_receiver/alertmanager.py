"""Alertmanagers to read from: one that answers what a test says, and the real one."""

import contextlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from failover_receiver.reconcile import Reconciler
from tests.failover_receiver.parts import LIMIT, Parts
from tests.lab.programs import PARTS, MissingProgramError, program

TEMPLATES = Path("/usr/share/prometheus/alertmanager/default.tmpl")
"""Where Debian's Alertmanager looks for its own."""

CONFIGURATION = """\
route: {receiver: nobody, group_by: [alertname, worker], group_wait: 0s, group_interval: 1s}
receivers: [{name: nobody}]
inhibit_rules:
  - source_matchers: ['alertname="WireGuardVantageBlind"']
    target_matchers: ['worker="ams1"']
"""


class Recorded(ThreadingHTTPServer):
    """A real server on a port of its own; `body` is what it answers."""

    daemon_threads = True

    def __init__(self) -> None:
        """Hold no alert."""
        super().__init__(("127.0.0.1", 0), _Answer)
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b"[]"
        self.asked: list[str] = []
        self.shown: list[str] = []
        """The tokens that were."""
        self.go_on = threading.Event()
        self.go_on.set()
        self.begun = threading.Event()
        self.endless = False
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def holds(self, *alerts: dict[str, Any]) -> None:
        """Let it hold these alerts."""
        self.body = json.dumps(alerts).encode()


class _Answer(BaseHTTPRequestHandler):
    server: Recorded

    def do_GET(self) -> None:
        """Answer as the test wants it."""
        self.server.asked.append(self.path)
        self.server.shown += self.headers.get_all("authorization", [])
        self.server.begun.set()
        self.server.go_on.wait(LIMIT)
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):  # Who asked has gone.
            self.wfile.write(self.server.body)
            while self.server.endless:
                self.wfile.write(b" ")
                time.sleep(0.001)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name.
        """Say nothing."""


@contextlib.contextmanager
def recorded() -> Iterator[Recorded]:
    """Serve until the test's end."""
    with Recorded() as server:
        server.thread.start()
        yield server
        server.endless = False
        server.go_on.set()
        server.shutdown()
        server.thread.join(LIMIT)


def reader(parts: Parts, http: httpx.AsyncClient, *servers: Recorded | str) -> Reconciler:
    """Reads these."""
    urls = [server if isinstance(server, str) else server.url for server in servers]
    return Reconciler(parts.driver, parts.receiver.metrics, urls, http)


def listed(labels: dict[str, str], *, started: str, updated: str) -> dict[str, Any]:
    """One alert as Alertmanager lists it."""
    return {
        "annotations": {},
        "startsAt": started,
        "endsAt": "2999-01-01T00:00:00.000Z",
        "updatedAt": updated,
        "fingerprint": "/".join(labels.values()),
        "receivers": [{"name": "nobody"}],
        "status": {"inhibitedBy": [], "silencedBy": [], "state": "active"},
        "labels": labels,
    }


class NotHereError(RuntimeError):
    """The real Alertmanager cannot run here; the text says why."""


class Real:
    """Debian's Alertmanager on a port of its own."""

    def __init__(self, directory: Path, configuration: str = CONFIGURATION) -> None:
        """Start it and wait until it answers."""
        (directory / "alertmanager.yml").write_text(configuration)
        self._process = subprocess.Popen(
            self._command(directory), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        self.url = f"http://{self._address()}"
        threading.Thread(target=self._swallow, daemon=True).start()
        self.http = httpx.Client(base_url=f"{self.url}/api/v2", trust_env=False)

    def post(self, what: str, body: Any) -> None:
        """Give it alerts or a silence."""
        self.http.post(f"/{what}", json=body).raise_for_status()

    def close(self) -> None:
        """End it."""
        self.http.close()
        self._process.kill()
        self._process.wait(LIMIT)

    def _command(self, directory: Path) -> Sequence[str]:
        try:
            alertmanager = program("prometheus-alertmanager")
        except MissingProgramError as error:
            raise NotHereError(str(error)) from None
        command = [
            alertmanager,
            f"--config.file={directory}/alertmanager.yml",
            f"--storage.path={directory}/alertmanager",
            "--web.listen-address=127.0.0.1:0",
            "--cluster.listen-address=",
        ]
        if TEMPLATES.exists():
            return command
        unpacked = PARTS.parent / "share" / "prometheus"
        if os.geteuid() != 0 or not unpacked.is_dir():
            raise NotHereError(f"{TEMPLATES} is not there, and only root can show it the unpacked one")
        # In a mount namespace of its own, so that nothing of this is left on the machine.
        script = (
            "mount -t tmpfs none /usr/share && mkdir /usr/share/prometheus && "
            'mount --bind "$0" /usr/share/prometheus && exec "$@"'
        )
        return ["unshare", "--mount", "sh", "-c", script, str(unpacked), *command]

    def _address(self) -> str:
        assert self._process.stderr is not None
        said = []
        for line in self._process.stderr:
            said.append(line)
            if 'msg="Listening on"' in line:
                return line.split("address=")[1].split()[0]
        raise NotHereError(f"Alertmanager did not start: {''.join(said)}")

    def _swallow(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for _ in lines:
                pass
