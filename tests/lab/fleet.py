"""The whole system on one machine: the network, and on it every daemon of ours with the real monitoring.

    with Fleet() as fleet:
        traffic = fleet.network.client("c1").traffic()
        fleet.wait_until_serving()
        fleet.network.worker("w1").kill()
        fleet.wait_until_state("w1", "down")

All of it goes when the `with` ends.
"""

import json
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.lab import followers
from tests.lab.addresses import SERVICE
from tests.lab.authority import Authority
from tests.lab.bare import BareClient
from tests.lab.brokers import Broker
from tests.lab.journal import Journal
from tests.lab.machines import Client, Worker
from tests.lab.monitoring import (
    ALERTMANAGER_PORT,
    LOOPBACK,
    PROMETHEUS_PORT,
    START_SECONDS,
    Plan,
    Station,
)
from tests.lab.network import Network
from tests.lab.postgres import Postgres
from tests.lab.preflight import require
from tests.lab.process import Process
from tests.lab.programs import LAB, MONITORING, POSTGRES
from tests.lab.replicas import PORT, Receivers, runs, toml
from tests.lab.waiting import wait_until
from wgfleet.cli.api import Api
from wgfleet.files import write_whole

__all__ = ["ALERTMANAGER_PORT", "EXPORTER_PORT", "PROMETHEUS_PORT", "RECEIVER_PORT", "Fleet", "Profile"]

FLEET = "lab"
RECEIVER_PORT, EXPORTER_PORT = PORT, 9586


@dataclass(frozen=True, slots=True)
class Profile:
    """How the fleet is set up, as an operator would."""

    interval: str = "1s"
    hold_down: float = 30.0
    """Seconds."""
    hold_down_factor: float = 2.0
    vantages: int = 1
    """Monitoring hosts. The first one has the receiver; each has a Prometheus, an Alertmanager, a blackbox exporter."""
    load_limit: float = 1.0
    """Of `wgfleet render`. 1: no worker is ever overloaded. All are one machine, so its load says nothing of any."""
    egress: bool = False
    """Each exporter probes the service from its worker's tunnel address, as it would for a client."""
    local_failover: bool = False
    """Clients leave a worker that their own probes find silent. Else they wait for the alert, so that its way is seen."""
    client: type[Client] = Client
    """The kind of machine that clients are: one with an interface, or one whose daemon makes what it needs."""
    kill_switch: bool = False
    """Clients bar in clear what is routed through the tunnel."""
    tables: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """What the receiver's configuration says beside, in tables."""
    broker: bool = False
    """The receiver publishes to an MQTT broker, too, and clients follow that one."""
    follower: bool = False
    """A follower of two processes stands beside the receiver, and Prometheus scrapes it; nobody else asks it."""
    receivers: int = 1
    """Several share a PostgreSQL: Alertmanager and clients name each, the first one first; the operator asks the last."""
    ports: bool = False
    """Give Prometheus, Alertmanager and the receiver their usual ports on this machine's loopback."""

    @property
    def interval_seconds(self) -> float:
        """The probe interval as a number."""
        units = {"ms": 0.001, "s": 1.0, "m": 60.0}
        unit = next(
            unit for unit in units if self.interval.endswith(unit) and self.interval[: -len(unit)].isdigit()
        )
        return float(self.interval.removesuffix(unit)) * units[unit]


class Fleet:
    """Everything, up from `with` to its end."""

    def __init__(
        self, profile: Profile | None = None, *, workers: int = 3, clients: int = 2, keep: bool = False
    ) -> None:
        """Describe it."""
        self.profile = profile or Profile()
        self.network = Network(workers, clients, self.profile.vantages, keep=keep, client=self.profile.client)
        self._stack = ExitStack()
        self.sync: dict[str, Process] = {}
        self.exporters: dict[str, Process] = {}
        self.stations: list[Station] = []
        """The daemons of each monitoring host, beginning with the receiver's."""
        self.broker: Broker | None = None
        """Beside the receiver, where the profile has one."""
        self.receivers: list[Process] = []
        self.receiver_urls: list[str] = []
        self.postgres: Postgres | None = None
        """What receivers share, where the profile has several."""

    def __enter__(self) -> Self:
        """Bring everything up, in the order in which an operator would. Raises LabImpossibleError."""
        several = self.profile.receivers > 1
        require((*LAB, *MONITORING, *(POSTGRES if several else ())))
        with ExitStack() as stack:
            stack.enter_context(self.network)
            if several:
                self.postgres = stack.enter_context(Postgres())
            self._start_receivers()
            stack.callback(self.api.close)
            if self.profile.follower:
                self._start_follower()
            for worker in self.network.workers:
                self._add_worker(worker)
            self._start_monitoring()
            for client in self.network.clients.values():
                self._add_client(client)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything."""
        self._stack.__exit__(kind, error, trace)

    # Looking.

    def url(self, what: str) -> str:
        """Where `receiver`, `prometheus` or `alertmanager` (the first ones) is reached from this machine."""
        return self._door.url if what == "receiver" else self.stations[0].url(what)

    @property
    def receiver(self) -> Process:
        """The one that the operator asks."""
        return self.receivers[-1]

    @property
    def receiver_url(self) -> str:
        """Where it is reached from other machines."""
        return self.receiver_urls[-1]

    @property
    def prometheus(self) -> Process:
        """The first monitoring host's."""
        return self.stations[0].prometheus

    @property
    def alertmanager(self) -> Process:
        """The first monitoring host's."""
        return self.stations[0].alertmanager

    @property
    def blackbox(self) -> Process:
        """The first monitoring host's."""
        return self.stations[0].blackbox

    def health(self) -> dict[str, Any]:
        """The receiver's word on every worker."""
        answer: dict[str, Any] = self.api.call("GET", "/health")
        return answer

    def state(self, worker: str) -> str:
        """The worker's published state."""
        return str(self.health()["workers"][worker]["state"])

    def wait_until_state(self, worker: str, state: str, timeout: float = 60.0) -> None:
        """Wait until the worker is published so."""
        wait_until(lambda: self.state(worker) == state, timeout, f"{worker} to be {state}: {self.health()}")

    def wait_until_serving(self, timeout: float = 90.0) -> None:
        """Wait until every worker serves, and every client has one of them in use."""

        def all_serve() -> bool:
            health = self.health()
            return health["monitoring"] == "live" and all(
                worker["state"] == "serving" for worker in health["workers"].values()
            )

        wait_until(all_serve, timeout, "all workers to serve")
        wait_until(
            lambda: all(map(self.active, self.network.clients)), timeout, "every client to use a worker"
        )

    def active(self, client: str) -> str | None:
        """The worker that carries this client's traffic, by the device itself: whose peer holds the routed prefixes."""
        machine = self.network.client(client)
        if isinstance(machine, BareClient):
            return machine.active()
        held = machine.run("wg", "show", "wg0", "allowed-ips")
        keys = {worker.public_key: worker.name for worker in self.network.workers}
        holders = [line.split("\t")[0] for line in held.splitlines() if "0.0.0.0/0" in line]
        return keys[holders[0]] if holders else None

    def users(self, worker: str) -> list[str]:
        """The clients that use this worker at present."""
        return [client for client in self.network.clients if self.active(client) == worker]

    def alerts_held(self) -> list[dict[str, Any]]:
        """What the first Alertmanager holds at present."""
        return self.stations[0].alerts_held()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Ask the first Prometheus; the result's samples or series."""
        return self.stations[0].query(expression)

    def moves(self, client: str, since: float = 0.0) -> list[dict[str, Any]]:
        """The times that this client's daemon moved its traffic."""
        return self.journal(self.sync[client]).lines("moved", since=since)

    def journal(self, process: Process) -> Journal:
        """What a daemon logged."""
        return Journal(process.log)

    def sees(self, client: str) -> dict[str, Any]:
        """What this client's daemon wrote last of its own view."""
        status: dict[str, Any] = json.loads((self._home_of(client) / "state" / "status.json").read_text())
        return status

    # Doing.

    def wait_until_warm(self, timeout: float = 60.0) -> None:
        """Until every client has heard every worker, by its own probes, since now."""
        since = time.time()
        for client in self.sync:
            wait_until(partial(self._has_heard_all, client, since), timeout, f"{client} to hear every worker")

    def _has_heard_all(self, client: str, since: float) -> bool:
        written = (self._home_of(client) / "state" / "status.json").stat().st_mtime
        seen = self.sees(client)
        heard = [one["answered_seconds_ago"] for one in seen["workers"].values()]
        return seen["active"] is not None and all(ago is not None and written - ago > since for ago in heard)

    def let_clients_judge(self) -> None:
        """From now on their own probes suffice: each daemon is started again with that setting."""
        for client, daemon in self.sync.items():
            configuration = self._home_of(client) / "sync.toml"
            said = configuration.read_bytes()
            write_whole(configuration, said.replace(b"local_failover = false", b"local_failover = true"))
            daemon.terminate()
            daemon.start()

    def end_the_control_plane(self) -> None:
        """Kill every receiver, Prometheus, Alertmanager and blackbox exporter."""
        for receiver in self.receivers:
            receiver.kill()
        for station in self.stations:
            for daemon in (station.prometheus, station.alertmanager, station.blackbox):
                daemon.kill()

    def add_worker(self, *, watched: bool = True) -> Worker:
        """Bring one more worker up, and tell the receiver, as an operator would; `watched` as the network has it."""
        worker = self.network.add_worker(watched=watched)
        self._add_worker(worker)
        return worker

    def add_client(self, kind: type[Client]) -> Client:
        """Bring one more client up, of this kind, and its daemon."""
        client = self.network.add_client(kind)
        self._add_client(client)
        return client

    # Building.

    def _home_of(self, client: str) -> Path:
        return self.network.directory / f"{client}.sync"

    def _start_receivers(self) -> None:
        host, profile = self.network.monitoring, self.profile
        self._home = self.network.directory / "receiver"
        settings: dict[str, object] = {
            "fleet": FLEET,
            "signing_key_file": "signing.key",
            "alertmanagers": [
                f"http://{address}:{ALERTMANAGER_PORT}" for address in self._alertmanager_addresses()
            ],
            "probe_interval": profile.interval_seconds,
            "hold_down": profile.hold_down,
            "hold_down_factor": profile.hold_down_factor,
        }
        if profile.broker:
            self.broker = Broker(host, self.network.directory / "broker")
            settings |= self.broker.settings
        tables = [f"[{name}]\n".encode() + toml(table) for name, table in profile.tables.items()]
        receivers = Receivers(host, self._home, profile.receivers, self.postgres)
        receivers.start(FLEET, settings, b"".join(tables))
        self.receivers, self.receiver_urls = receivers.processes, receivers.urls
        usual = RECEIVER_PORT if profile.ports else 0
        self._door = host.forward(receivers.ports[-1], local_port=usual, address=host.address)
        self.api = Api(self.url("receiver"), self._home / "operator.token", None)

    def _start_follower(self) -> None:
        host, home = self.network.monitoring, self.network.directory / "follower"
        followers.start(self.api.call, host, home, self.receiver_url, fleet=FLEET, processes=2)

    def _alertmanager_addresses(self) -> list[str]:
        vantages = self.network.vantages
        return [LOOPBACK] if len(vantages) == 1 else [vantage.address for vantage in vantages]

    def _start_monitoring(self) -> None:
        hosts, directory = self.network.vantages, self.network.directory
        plan = Plan(
            interval=self.profile.interval,
            load_limit=self.profile.load_limit,
            receiver_urls=self.receiver_urls,
            tokens=self._home,
            hosts=hosts,
            followers=[followers.url(self.network.monitoring)] if self.profile.follower else [],
            authority=Authority(directory / "authority") if len(hosts) > 1 else None,
            ports=self.profile.ports,
        )
        for host in hosts:
            station = Station(plan, host, directory / host.name)
            station.start()
            self.stations.append(station)

    def _add_worker(self, worker: Worker) -> None:
        exporter = [
            sys.executable, "-m", "exporter", "--interface", "wg0",
            "--web.listen-address", f"{worker.address}:{EXPORTER_PORT}",
        ]  # fmt: skip
        if self.profile.egress:
            exporter += ["--egress.probe", f"icmp:{SERVICE}", "--egress.source", worker.tunnel_address]
        self.exporters[worker.name] = worker.spawn(
            "exporter", exporter, ready=lambda: worker.listens(EXPORTER_PORT), timeout=START_SECONDS
        )
        body = {
            "public_key": worker.public_key,
            "endpoints": [worker.endpoint],
            "tunnel_addresses": [worker.tunnel_address],
            "allowed_ips": ["0.0.0.0/0"],
            "exporter_port": EXPORTER_PORT,
        }
        self.api.call("PUT", f"/v1/workers/{worker.name}", body=body)

    def _add_client(self, client: Client) -> None:
        home = self._home_of(client.name)
        home.mkdir(mode=0o700)
        token = self.api.call("POST", "/v1/tokens", body={"name": client.name, "role": "client"})["token"]
        write_whole(home / "token", token.encode())
        settings: dict[str, object] = {
            "fleet": FLEET,
            "name": client.name,
            "interface": "wg0",
            "receivers": self.receiver_urls,
            "token_file": "token",
            "trusted_keys": [self.api.call("GET", "/v1/signing-key")["public_key"]],
            "state_directory": "state",
            "local_failover": self.profile.local_failover,
            "kill_switch": self.profile.kill_switch,
        }
        if isinstance(client, BareClient):
            settings |= client.settings()
        if self.broker is not None:
            settings |= self.broker.settings
        write_whole(home / "sync.toml", toml(settings))
        command = runs("client_sync", home / "sync.toml")
        self.sync[client.name] = client.spawn(
            "sync", command, ready='"event": "following"', timeout=START_SECONDS
        )
