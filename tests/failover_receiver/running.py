"""A receiver as a process of its own, on a port of its own."""

import json
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

import httpx

from failover_receiver import setup
from failover_receiver.access import Role
from tests.failover_receiver.parts import FLEET, LIMIT, bearer
from wgfleet.files import read_secret

MODULE = ("-m", "failover_receiver")
IMPATIENT = ("-c", """
import sys
from failover_receiver import watchers
from failover_receiver.__main__ import main
watchers.HEARTBEAT_SECONDS = 0.05
sys.exit(main())
""")  # fmt: skip
"""The same program, with heartbeats that a test can wait for."""


class Running:
    """`wgfleet-receiver run`; ends with its `with`."""

    def __init__(self, directory: Path, *, program: tuple[str, ...] = MODULE, **said: Any) -> None:
        """Make its folder; what its configuration says beyond what it must."""
        self.directory = directory
        self.program = program
        self.url = ""
        self.log: list[dict[str, Any]] = []
        setup.make(directory, FLEET)
        settings = {
            "fleet": FLEET,
            "store": "receiver.db",
            "signing_key_file": "signing.key",
            "listen_port": 0,
            "alertmanagers": [],
            "prometheis": [],
            **said,
        }
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in settings.items()]
        (directory / "receiver.toml").write_text("".join(lines))

    def __enter__(self) -> Self:
        """Start it and wait until it serves."""
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """End it at once."""
        self.kill()

    def start(self) -> None:
        """Start it, again if need be, and wait until it serves."""
        command = [sys.executable, *self.program, "run", "--log-format", "json"]
        self._process = subprocess.Popen(
            [*command, "--config", self.directory / "receiver.toml"], stderr=subprocess.PIPE, text=True
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = self.wait_for("serving")["url"]

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def wait_for(self, event: str) -> dict[str, Any]:
        """The next line of its log that begins so."""
        while True:
            text = self._lines.get(timeout=LIMIT)
            assert text is not None, f"it ended without {event!r}: {self.log}"
            line: dict[str, Any] = json.loads(text)
            self.log.append(line)
            if line["event"].startswith(event):
                return line

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop, and return its exit status; then `log` is complete."""
        self._process.send_signal(number)
        status = self._process.wait(LIMIT)
        self._reader.join(LIMIT)
        while (text := self._lines.get(timeout=LIMIT)) is not None:
            self.log.append(json.loads(text))
        return status

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait(LIMIT)
        self._reader.join(LIMIT)

    def secret(self, role: Role) -> str:
        """The first token of that role."""
        return read_secret(self.directory / f"{role}.token")

    def ask(self, role: Role = Role.OPERATOR) -> httpx.AsyncClient:
        """HTTP with that token."""
        return httpx.AsyncClient(
            base_url=self.url, headers=bearer(self.secret(role)), timeout=LIMIT, trust_env=False
        )

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put(None)
