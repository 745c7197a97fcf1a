"""The whole chain but WireGuard on loopback: a receiver, Alertmanager, blackbox, Prometheus, and workers that are pages."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from failover_receiver.access import Role
from tests.daemons import Daemon, Page, blackbox, free_port, prometheus
from tests.failover_receiver.alertmanager import Real
from tests.failover_receiver.parts import bearer
from tests.failover_receiver.running import Running
from tests.failover_receiver.story import spec
from tests.lab.waiting import wait_until
from wgfleet.cli.monitoring import Kind, rendered
from wgfleet.cli.probing import Probing, default_timeout, parse_duration
from wgfleet.cli.settings import Settings

WORKERS = {"ams1": "127.0.0.2", "fra1": "127.0.0.3"}
"""Addresses of this machine's loopback, each of which answers."""

INTERVAL = "1s"
LIVE_SECONDS = 60.0
"""Three probes, the rules' turns and Alertmanager's, on a machine that is busy."""

LOAD = "# TYPE wireguard_worker_load_ratio gauge\nwireguard_worker_load_ratio 0.31\n"


class Chain:
    """All of it, well; a test breaks what it wants to see told."""

    def __init__(self, directory: Path) -> None:
        """Choose addresses; nothing runs yet."""
        self.directory = directory
        self.receiver_url = f"http://127.0.0.1:{free_port()}"
        self.pages: dict[str, Page] = {}
        """The workers' exporters."""
        self._running: list[Running | Real | Daemon] = []

    def close(self) -> None:
        """End everything that was started."""
        for one in reversed(self._running):
            one.kill() if isinstance(one, Running) else one.close()
        for page in self.pages.values():
            page.close()

    def start(self) -> None:
        """Start everything; it takes a while until monitoring is heard."""
        home = self.directory / "receiver"
        tokens = Settings(
            prometheus_token_file=str(home / "prometheus.token"),
            alertmanager_token_file=str(home / "alertmanager.token"),
            receivers=(self.receiver_url,),
        )
        port = int(self.receiver_url.rpartition(":")[2])
        # Alertmanager reads its token, which is not there yet, at each delivery.
        self.alertmanager = Real(self._folder("alertmanager"), rendered(Kind.ALERTMANAGER, tokens))
        self._running.append(self.alertmanager)
        self._port = free_port()
        self.receiver = Running(
            home,
            prometheis=[f"http://127.0.0.1:{self._port}"],
            load_interval=1.0,
            listen_port=port,
            alertmanagers=[self.alertmanager.url],
            canaries=["127.0.0.1"],
            probe_interval=parse_duration(INTERVAL).total_seconds(),
        )
        self.receiver.start()
        self._running.append(self.receiver)
        self._add_workers()
        self.settings = self._settings(tokens)
        self.prometheus = self.start_prometheus(self._folder("prometheus"))
        self._running.append(self.prometheus)

    def _settings(self, tokens: Settings) -> Settings:
        every = parse_duration(INTERVAL)
        probing = Probing(every, default_timeout(every))
        self.blackbox = blackbox(self._folder("blackbox"), rendered(Kind.BLACKBOX, Settings(probing)))
        self._running.append(self.blackbox)
        return Settings(
            probing,
            receivers=(self.receiver_url,),
            vantages=(f"main={self.blackbox.url.removeprefix('http://')}",),
            alertmanagers=(self.alertmanager.url.removeprefix("http://"),),
            prometheis=(f"127.0.0.1:{self._port}",),
            prometheus_token_file=tokens.prometheus_token_file,
        )

    def start_prometheus(
        self, folder: Path, *flags: str, rules: bool = True, port: int | None = None
    ) -> Daemon:
        """One with the rendered files, on a port of its own if none is said."""
        (folder / "rules.yml").write_text(rendered(Kind.RULES, self.settings) if rules else "groups: []\n")
        configuration = rendered(Kind.PROMETHEUS, self.settings)
        flags = flags or ("--rules.alert.resend-delay=5s",)
        return prometheus(folder, configuration, *flags, port=self._port if port is None else port)

    def _folder(self, name: str) -> Path:
        folder = self.directory / name
        folder.mkdir()
        return folder

    def _add_workers(self) -> None:
        for number, (name, address) in enumerate(WORKERS.items(), start=1):
            page = self.pages[name] = Page(LOAD, address)
            body = {
                "public_key": spec(number).public_key,
                "endpoints": [f"{address}:51820"],
                "tunnel_addresses": [address],
                "allowed_ips": ["0.0.0.0/0"],
                "exporter_port": page.server_port,
            }
            self.ask("PUT", f"/v1/workers/{name}", body)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The receiver's answer to an operator."""
        headers = bearer(self.receiver.secret(Role.OPERATOR))
        answer = httpx.request(
            method, f"{self.receiver_url}{path}", json=body, headers=headers, trust_env=False
        )
        answer.raise_for_status()
        return answer.json()

    def wait_until_live(self) -> None:
        """Monitoring is heard, and each worker serves."""
        wait_until(self._is_live, LIVE_SECONDS, "monitoring to be live and all workers to serve")

    def _is_live(self) -> bool:
        health = self.ask("GET", "/health")
        states = [worker["state"] for worker in health["workers"].values()]
        return health["monitoring"] == "live" and set(states) == {"serving"}


def wgfleet(
    *words: str | Path, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the operator's command."""
    command = [sys.executable, "-m", "wgfleet.cli", *map(str, words)]
    return subprocess.run(
        command, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )
