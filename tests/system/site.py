"""A site that begins with nothing but interfaces: a worker and clients join it by their bundles, over TLS.

The worker's interface has its key and the monitoring host as a peer, which an operator added by hand. Clients' have nothing.
"""

import json
import sqlite3
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.lab.authority import Authority
from tests.lab.host import Host
from tests.lab.monitoring import START_SECONDS
from tests.lab.network import Network
from tests.lab.process import Process
from tests.lab.waiting import wait_until
from wgfleet.device import Device
from wgfleet.files import write_whole

PORT = 9587
LIMIT = 30.0
POOL = "10.99.1.0/24"


class Site:
    """Up from `with` to its end."""

    sync: Process
    """The worker's daemon, once it was started."""

    def __init__(self, workers: int = 1, **tables: Mapping[str, object]) -> None:
        """So many workers; what the receiver's configuration says beside, in tables."""
        self._workers, self._tables = workers, tables

    def __enter__(self) -> Self:
        """A receiver, and machines that do not know it yet."""
        with ExitStack() as stack:
            self.network = stack.enter_context(Network(self._workers, 1))
            self.directory = self.network.directory
            self.worker = self.network.worker("w1")
            self.client = self.network.client("c1")
            for worker in self.network.workers:
                worker.wg0.set("peer", self.client.public_key, "remove")
                worker.wg0.peers = [self.network.monitoring.as_peer()]
            self._start_receiver()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything."""
        self._stack.__exit__(kind, error, trace)

    def _start_receiver(self) -> None:
        host = self.network.monitoring
        self.home = self.directory / "receiver"
        host.run(
            sys.executable, "-m", "failover_receiver", "init", "--fleet", "lab", "--directory", self.home
        )
        self.authority = Authority(self.directory / "authority")
        certificate, key = self.authority.sign("receiver", host.address)
        self.url = f"https://{host.address}:{PORT}"
        settings = {
            "fleet": "lab",
            "store": "receiver.db",
            "signing_key_file": "signing.key",
            "listen_address": host.address,
            "listen_port": PORT,
            "tls_certificate_file": str(certificate),
            "tls_key_file": str(key),
            "alertmanagers": [],
            "prometheis": [],
            "client_pools": [POOL],
        }
        text = _lines(settings)
        for name, table in self._tables.items():
            text += f"[{name}]\n{_lines(table)}"
        write_whole(self.home / "receiver.toml", text.encode())
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "failover_receiver",
            "run",
            "--config",
            self.home / "receiver.toml",
        ]
        self.receiver = host.spawn(
            "receiver", command, ready=lambda: host.listens(PORT), timeout=START_SECONDS
        )

    def wgfleet(self, *words: str | Path) -> str:
        """The operator's command, on the monitoring host. Raises CommandError."""
        where = ("--receiver", self.url, "--ca-file", self.authority.certificate_file)
        token = ("--token-file", self.home / "operator.token")
        command = (sys.executable, "-m", "wgfleet.cli", *words, *where, *token)
        return self.network.monitoring.run(*command, timeout=LIMIT)

    def bundle(self, role: str, name: str, *words: str) -> Path:
        """A new bundle in a file."""
        file = self.directory / f"{name}.{time.monotonic_ns()}.bundle"
        self.wgfleet(role, "enrol", name, "--output", file, *words)
        return file

    def enroll(self, host: Host, bundle: Path, *words: str) -> str:
        """`wgfleet-sync enroll` on a machine. Raises CommandError."""
        home = self.sync_home(host)
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "client_sync",
            "enroll",
            bundle,
            "--directory",
            home,
        ]
        return host.run(*command, "--state-directory", home / "state", *words, timeout=LIMIT)

    def sync_home(self, host: Host) -> Path:
        """Where its daemon's files are."""
        return self.directory / f"{host.name}.etc"

    def run_daemon(self, host: Host, *, ready: str) -> Process:
        """`wgfleet-sync run` on a machine."""
        configuration = self.sync_home(host) / "sync.toml"
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "client_sync",
            "run",
            "--log-format",
            "json",
            "--config",
            configuration,
        ]
        return host.spawn("sync", command, ready=ready, timeout=START_SECONDS)

    def status(self, host: Host) -> dict[str, Any]:
        """What `wgfleet-sync status --json` says there."""
        configuration = self.sync_home(host) / "sync.toml"
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "client_sync",
            "status",
            "--json",
            "--config",
            configuration,
        ]
        said: dict[str, Any] = json.loads(host.run(*command))
        return said

    def device(self) -> Device:
        """The worker's interface."""
        return self.worker.wg0.device()

    def peers(self) -> set[str]:
        """Public keys of the worker's peers."""
        return {peer.public_key for peer in self.device().peers}

    def wait_for_peer(self, key: str, *, there: bool = True) -> None:
        """Wait until the worker has the peer, or has it no more."""
        wait_until(
            lambda: (key in self.peers()) is there, LIMIT, f"peer {key} to be {'there' if there else 'gone'}"
        )

    def forget_clients(self) -> None:
        """Empty the receiver's registry behind its back, as a database that was lost or restored looks."""
        self.receiver.kill()
        with sqlite3.connect(self.home / "receiver.db") as db:
            db.execute("DELETE FROM clients")
        db.close()
        self.receiver.start()


def _lines(settings: Mapping[str, object]) -> str:
    """Of a TOML file: JSON's texts, numbers and lists are TOML's."""
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
