"""A receiver as a process of its own, on a port of its own."""

import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
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

    command = ("run", "receiver.toml")

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
        self.configure(settings)

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Write its configuration."""
        tables = {key: value for key, value in settings.items() if isinstance(value, dict)}
        lines = [_line(key, value) for key, value in settings.items() if key not in tables]
        for name, table in tables.items():
            lines += [f"[{name}]\n", *(_line(key, value) for key, value in table.items())]
        (self.directory / self.command[1]).write_text("".join(lines))

    def __enter__(self) -> Self:
        """Start it and wait until it serves."""
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """End it at once."""
        self.kill()

    def start(self) -> None:
        """Start it, again if need be, and wait until it serves."""
        verb, file = self.command
        command = [sys.executable, *self.program, verb, "--log-format", "json"]
        self._process = subprocess.Popen(
            [*command, "--config", self.directory / file], stderr=subprocess.PIPE, text=True
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


def _line(key: str, value: object) -> str:
    """Of the file. JSON's texts, numbers and lists are TOML's."""
    return f"{key} = {json.dumps(value)}\n"
