"""The daemons of one monitoring host, with the files that `wgfleet render` makes for them."""

import json
import sys
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.authority import Authority
from tests.lab.forward import Forward
from tests.lab.host import Host
from tests.lab.machines import Monitoring
from tests.lab.process import Process
from tests.lab.programs import PARTS, program

PROMETHEUS_PORT, ALERTMANAGER_PORT, CLUSTER_PORT, BLACKBOX_PORT = 9090, 9093, 9094, 9115
TEMPLATES = Path("/usr/share/prometheus/alertmanager/default.tmpl")
START_SECONDS = 30.0
"""For each daemon to be ready, on a machine that is busy."""
PROMETHEUS_READY = "Server is ready to receive web requests"
"""It listens before, and answers 503 until then."""
LOOPBACK = "127.0.0.1"
FIRST_VANTAGE = "main"
"""What `wgfleet render` calls the vantage of a single monitoring host."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What all monitoring hosts of a fleet share."""

    interval: str
    load_limit: float
    receiver_urls: Sequence[str]
    followers: Sequence[str]
    """Their URLs."""
    tokens: Path
    """The folder with Prometheus's and Alertmanager's tokens."""
    hosts: Sequence[Monitoring]
    authority: Authority | None
    """Whose certificates they know each other by; None for a single one."""
    ports: bool
    """Give the first one's daemons their usual ports on this machine's loopback."""


class Station:
    """Prometheus, Alertmanager and blackbox on one monitoring host.

    A single one has them all on its loopback. Of several, each blackbox exporter answers every Prometheus, by mutual
    TLS, and every Prometheus tells every Alertmanager; these make a cluster. The Alertmanagers are reached in clear:
    the control network stands for a tunnel between the monitoring hosts.
    """

    def __init__(self, plan: Plan, host: Monitoring, home: Path) -> None:
        """Describe the one on this host, with its files in a folder that is to be made."""
        self.host = host
        self.home = home
        self.vantage = vantage_name(plan, host)
        self._plan = plan
        self.doors: dict[str, Forward] = {}

    def start(self) -> None:
        """Render the files and start the daemons, each once the one before is ready."""
        self.home.mkdir()
        self.host.run(*self._render())
        _furnish(self.host)
        self.blackbox = self._spawn("blackbox", self._blackbox(), BLACKBOX_PORT)
        self.alertmanager = self._spawn("alertmanager", self._alertmanager(), ALERTMANAGER_PORT)
        self.prometheus = self._spawn("prometheus", self._prometheus(), PROMETHEUS_READY)
        self.doors["prometheus"] = self._door(PROMETHEUS_PORT, LOOPBACK)
        self.doors["alertmanager"] = self._door(ALERTMANAGER_PORT, self._address)

    def url(self, what: str) -> str:
        """Where its `prometheus` or `alertmanager` is reached from this machine."""
        return self.doors[what].url

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Ask its Prometheus; the result's samples or series."""
        asked = urllib.parse.urlencode({"query": expression})
        return list(_get(f"{self.url('prometheus')}/api/v1/query?{asked}")["data"]["result"])

    def firing(self, alert: str) -> set[str]:
        """The workers for which this alert fires by its own Prometheus."""
        firing = self.query(f'ALERTS{{alertname="{alert}",alertstate="firing"}}')
        return {one["metric"].get("worker", "") for one in firing}

    def probes(self, worker: str, vantage: str, since: float) -> list[bool]:
        """What became of the probes of a worker through the tunnel since then (UNIX seconds), oldest first."""
        selector = f'probe_success{{job="wgfleet-tunnel",worker="{worker}",vantage="{vantage}"}}[1h]'
        values = [value for one in self.query(selector) for value in one["values"]]
        return [value == "1" for at, value in sorted(values) if float(at) > since]

    def alerts_held(self) -> list[dict[str, Any]]:
        """What its Alertmanager holds at present."""
        return list(_get(f"{self.url('alertmanager')}/api/v2/alerts"))

    def cluster(self) -> tuple[int, int]:
        """Its Alertmanager's position in the cluster, and how many it knows of: the first one speaks first."""
        status = _get(f"{self.url('alertmanager')}/api/v2/status")["cluster"]
        names = sorted(peer["name"] for peer in status["peers"])
        return names.index(status["name"]), len(names)

    @property
    def _several(self) -> bool:
        return len(self._plan.hosts) > 1

    @property
    def _address(self) -> str:
        """Where its Alertmanager and its blackbox exporter listen."""
        return self.host.address if self._several else LOOPBACK

    def _render(self) -> list[str | Path]:
        plan = self._plan
        command: list[str | Path] = [
            sys.executable, "-m", "wgfleet.cli", "render", "all", "--output-dir", self.home,
            "--interval", plan.interval, "--load-limit", f"{plan.load_limit:g}",
            *(word for url in plan.receiver_urls for word in ("--receiver", url)),
            "--prometheus-token-file", plan.tokens / "prometheus.token",
            "--alertmanager-token-file", plan.tokens / "alertmanager.token",
        ]  # fmt: skip
        command += [word for url in plan.followers for word in ("--follower", url)]
        if plan.authority is None:
            return command
        certificate, key = plan.authority.sign(self.host.name, self.host.address)
        command += [
            "--vantage-ca-file", plan.authority.certificate_file,
            "--vantage-cert-file", certificate, "--vantage-key-file", key,
        ]  # fmt: skip
        for host in plan.hosts:
            name = vantage_name(plan, host)
            command += ["--vantage", f"{name}={host.address}:{BLACKBOX_PORT}"]
            command += ["--canary", f"{name}={host.gateway}"]
            command += ["--alertmanager", f"http://{host.address}:{ALERTMANAGER_PORT}"]
        return command

    def _blackbox(self) -> list[str | Path]:
        command: list[str | Path] = [
            program("prometheus-blackbox-exporter"),
            f"--config.file={self.home}/blackbox.yml",
            f"--web.listen-address={self._address}:{BLACKBOX_PORT}",
            "--timeout-offset=0.05",
        ]
        return [*command, f"--web.config.file={self.home}/blackbox-web.yml"] if self._several else command

    def _alertmanager(self) -> list[str | Path]:
        command: list[str | Path] = [
            program("prometheus-alertmanager"),
            f"--config.file={self.home}/alertmanager.yml",
            f"--storage.path={self.home}/alertmanager",
            f"--web.listen-address={self._address}:{ALERTMANAGER_PORT}",
        ]
        if not self._several:
            return [*command, "--cluster.listen-address="]
        others = (host for host in self._plan.hosts if host is not self.host)
        return [
            *command,
            f"--cluster.listen-address={self.host.address}:{CLUSTER_PORT}",
            "--cluster.peer-timeout=2s",
            *(f"--cluster.peer={other.address}:{CLUSTER_PORT}" for other in others),
        ]

    def _prometheus(self) -> list[str | Path]:
        return [
            program("prometheus"),
            f"--config.file={self.home}/prometheus.yml",
            f"--storage.tsdb.path={self.home}/prometheus",
            f"--web.listen-address={LOOPBACK}:{PROMETHEUS_PORT}",
            "--rules.alert.resend-delay=5s",
        ]

    def _spawn(self, name: str, command: Sequence[str | Path], ready: int | str) -> Process:
        """Start it and wait until it listens on this port, or has logged this."""
        listens_or_said = ready if isinstance(ready, str) else lambda: self.host.listens(ready)
        return self.host.spawn(name, command, ready=listens_or_said, timeout=START_SECONDS)

    def _door(self, port: int, address: str) -> Forward:
        usual = port if self._plan.ports and self.host is self._plan.hosts[0] else 0
        return self.host.forward(port, local_port=usual, address=address)


def vantage_name(plan: Plan, host: Monitoring) -> str:
    """What a monitoring host is called in the label `vantage`."""
    return FIRST_VANTAGE if host is plan.hosts[0] else host.name


def _furnish(host: Host) -> None:
    """Debian's Alertmanager looks for its templates where its package puts them; ours may only be unpacked."""
    unpacked = PARTS.parent / "share" / "prometheus"
    if not TEMPLATES.exists() and unpacked.is_dir():
        # Seen on this host only: it has mounts of its own.
        host.run("mkdir", "-p", TEMPLATES.parents[1])
        host.run("mount", "--bind", unpacked, TEMPLATES.parents[1])


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own door.
        return json.load(answer)
