"""A real PostgreSQL of one's own, unpacked and not installed, under a user who may do nothing else."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

import psycopg

from tests.daemons import free_port
from tests.lab.launch import mortal
from tests.lab.programs import library_path, program

NOBODY = 65534
LIMIT_SECONDS = 30.0
SUPERUSER = "wgfleet"


class Postgres:
    """Runs as long as its `with`; its data are gone afterwards."""

    def __init__(self, *, durable: bool = False) -> None:
        """Make it; without `durable` it does not wait for the disk, which only a power cut would show."""
        # Of its own in /tmp: pytest's folders are closed to other users, and socket paths must be short.
        self.folder = Path(tempfile.mkdtemp(prefix="wgfleet-postgres.", dir="/tmp"))
        self.port = free_port()
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        if os.geteuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)
        command = [
            "initdb",
            "--no-sync",
            "--auth=trust",
            f"--username={SUPERUSER}",
            "--encoding=UTF8",
            "--locale=C",
        ]
        self._run([*command, f"--pgdata={self.folder / 'data'}"])

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """End it, and forget its data."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start it, again if need be, and wait until it takes connections."""
        said = {
            "port": self.port,
            "unix_socket_directories": self.folder,
            "listen_addresses": "127.0.0.1",
            "fsync": "on" if self._durable else "off",
            "max_connections": 200,
            "shared_buffers": "32MB",
        }
        options = [word for key, value in said.items() for word in ("-c", f"{key}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(["postgres", "-D", str(self.folder / "data"), *options]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment(),
            )  # fmt: skip
        self._wait()

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT as a restart does, SIGQUIT without a checkpoint, as a crash."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(LIMIT_SECONDS)
            self._process = None

    def kill(self) -> None:
        """End it, whatever it does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
        self.stop(signal.SIGQUIT)

    def database(self) -> str:
        """The URI of a new, empty database."""
        self._databases += 1
        name = f"fleet{self._databases}"
        self.execute("postgres", f"CREATE DATABASE {name}")
        return self.uri(name)

    def uri(self, name: str, *, port: int | None = None) -> str:
        """That of a database; through something else that listens, if a port is said."""
        return f"postgresql://{SUPERUSER}@127.0.0.1:{port or self.port}/{name}"

    def uri_by_socket(self, name: str) -> str:
        """Likewise for who is in another network namespace: a socket's path leads out of it."""
        return f"postgresql://{SUPERUSER}@/{name}?host={self.folder}&port={self.port}"

    def execute(self, name: str, query: str) -> None:
        """Do something in a database, beside all receivers."""
        with psycopg.connect(self.uri(name), autocommit=True) as db:
            db.execute(query)

    def _wait(self) -> None:
        limit = time.monotonic() + LIMIT_SECONDS
        while True:
            try:
                psycopg.connect(self.uri("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                assert self._process is not None
                assert self._process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < limit, (self.folder / "log").read_text()
                time.sleep(0.02)
            else:
                return

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(
            self._command(command), env=_environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def _command(self, command: list[str]) -> list[str]:
        who = [program("setpriv"), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        # `mortal` last: changing the user takes away what it has set.
        return [*(who if os.geteuid() == 0 else []), *mortal(), program(command[0]), *command[1:]]


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LD_LIBRARY_PATH": library_path(), "TZ": "UTC"}
