"""Three receivers, each behind a relay of its own to one PostgreSQL, with the same signing key."""

import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import httpx

from failover_receiver.access import Role
from tests.failover_receiver.parts import bearer
from tests.failover_receiver.running import Running
from tests.failover_receiver.story import spec
from tests.lab.postgres import Postgres
from tests.replicas.relay import Relay

MANY = 3
WORKERS = ("w1", "w2", "w3", "w4")
QUIET: dict[str, Any] = {"hold_down": 3600.0, "least_serving": 0.0}
"""Nothing is to become whole by itself, nor to be doubted, while somebody counts documents."""


class Three:
    """All of them; ends with its `with`. The PostgreSQL is somebody else's."""

    def __init__(self, folder: Path, postgres: Postgres, **said: Any) -> None:
        """Make one with `init`, move its store into the PostgreSQL, and the others by copying what must be the same."""
        self.postgres = postgres
        uri = postgres.database()
        self.database = uri.rpartition("/")[2]
        self.relays = [Relay(postgres.port) for _ in range(MANY)]
        self.receivers = [
            Running(folder / f"r{number}", store=postgres.uri(self.database, port=relay.port), **said)
            for number, relay in enumerate(self.relays, start=1)
        ]
        first = self.receivers[0].directory
        for other in self.receivers[1:]:
            for file in (first / "signing.key", *first.glob("*.token")):
                shutil.copy(file, other.directory)
        self.command("move-store", first / "receiver.db")

    def __enter__(self) -> Self:
        """Start them, and have them know some workers."""
        with ThreadPoolExecutor() as threads:
            list(threads.map(Running.start, self.receivers))
        for number, name in enumerate(WORKERS, start=1):
            described = spec(number)
            body = {
                "public_key": described.public_key,
                "endpoints": list(described.endpoints),
                "tunnel_addresses": list(described.tunnel_addresses),
                "allowed_ips": list(described.allowed_ips),
            }
            self.ask(number % MANY, "PUT", f"/v1/workers/{name}", json=body).raise_for_status()
        return self

    def __exit__(self, *_error: object) -> None:
        """End them."""
        for receiver in self.receivers:
            os.kill(receiver.pid, signal.SIGCONT) if receiver.alive else None
            receiver.kill()
        for relay in self.relays:
            relay.__exit__()

    def command(self, *words: str | Path) -> str:
        """Run a command of the first one's machine; what it said."""
        command = [sys.executable, "-m", "failover_receiver", *map(str, words)]
        config = self.receivers[0].directory / "receiver.toml"
        done = subprocess.run(
            [*command, "--config", config], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(
        self, number: int, method: str, path: str, *, role: Role = Role.OPERATOR, json: Any = None
    ) -> httpx.Response:
        """One receiver's answer."""
        receiver = self.receivers[number]
        headers = bearer(receiver.secret(role))
        return httpx.request(
            method, f"{receiver.url}{path}", json=json, headers=headers, timeout=30, trust_env=False
        )
