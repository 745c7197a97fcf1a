"""The receivers of a fleet: one on a file, or several on one PostgreSQL. All are on the first monitoring host."""

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.lab.host import Host
from tests.lab.monitoring import START_SECONDS
from tests.lab.postgres import Postgres
from tests.lab.process import Process
from wgfleet.files import write_whole

PORT = 9587
"""Of the first one; the others have the next."""


class Receivers:
    """Each in a folder of its own, with the same configuration and signing key."""

    def __init__(self, host: Host, home: Path, many: int, postgres: Postgres | None) -> None:
        """Describe them; the first one's folder is to be made, and has the tokens."""
        self._host = host
        self._postgres = postgres
        self.homes = [home, *(home.with_name(f"{home.name}{number}") for number in range(2, many + 1))]
        self.ports = [PORT + number for number in range(many)]
        self.urls = [f"http://{host.address}:{port}" for port in self.ports]
        self.processes: list[Process] = []

    def start(self, fleet: str, settings: Mapping[str, object], tables: bytes) -> None:
        """Make what an operator makes, and start them, all at once."""
        first = self.homes[0]
        self._run("init", "--fleet", fleet, "--directory", first)
        store = "receiver.db"
        if self._postgres is not None:
            store = self._postgres.uri_by_socket(self._postgres.database().rpartition("/")[2])
        for home, port in zip(self.homes, self.ports, strict=True):
            if home != first:
                home.mkdir(mode=0o700)
                shutil.copy(first / "signing.key", home)
            said = {**settings, "store": store, "listen_address": self._host.address, "listen_port": port}
            write_whole(home / "receiver.toml", toml(said) + tables)
        if self._postgres is not None:
            self._run("move-store", first / "receiver.db", "--config", first / "receiver.toml")
        self.processes = [
            self._launched(home, port) for home, port in zip(self.homes, self.ports, strict=True)
        ]
        for process in self.processes:
            process.wait_until_ready()

    def _launched(self, home: Path, port: int) -> Process:
        command = runs("failover_receiver", home / "receiver.toml")
        process = self._host.prepare(
            home.name, command, ready=lambda: self._host.listens(port), timeout=START_SECONDS
        )
        process.launch()
        return process

    def _run(self, *words: str | Path) -> None:
        self._host.run(sys.executable, "-m", "failover_receiver", *words)


def runs(package: str, configuration: Path) -> list[str | Path]:
    """The command that runs one of our daemons."""
    return [sys.executable, "-m", package, "run", "--log-format", "json", "--config", configuration]


def toml(settings: Mapping[str, object]) -> bytes:
    """TOML of texts, numbers and lists of texts: written as in JSON."""
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()).encode()
