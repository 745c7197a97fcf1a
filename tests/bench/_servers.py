"""What the receiver's benches measure: the receiver itself, and mosquitto or nginx beside it, each on a core of its own."""

import json
import os
import resource
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from failover_receiver.access import Role, digest, new_token
from failover_receiver.store import SqliteStore
from tests.failover_receiver.parts import BODY, LIMIT, bearer, posted, webhook
from tests.failover_receiver.running import Running
from tests.failover_receiver.story import spec
from tests.lab.programs import library_path, program
from tests.lab.waiting import wait_until

SERVERS, ASKERS = 0, -1
"""Cores: the first one for whatever is measured, the last one for who asks."""

PINNED = ("-c", """
import os, sys
from failover_receiver.__main__ import main
os.sched_setaffinity(0, {0})
sys.exit(main())
""")  # fmt: skip
"""The receiver's own command, kept to the servers' core from before its first thread."""

QUIET = {"probe_interval": 3600.0, "hold_down": 0.001, "fresh_for": 86400.0}
"""Nothing is published but what is asked for."""


def core(which: int) -> int:
    """A core that this process may use."""
    return sorted(os.sched_getaffinity(0))[which]


class Receiver:
    """A real receiver with workers that serve, and tokens for a crowd."""

    def __init__(self, directory: Path, *, workers: int, tokens: int, **said: str) -> None:
        """Make its folder, with the tokens in its store; what its configuration says beside, as `mqtt.url`."""
        self.running = Running(directory, program=PINNED, **QUIET, **said)
        self.tokens = _tokens(directory / "receiver.db", tokens)
        self.workers = [f"w{number}" for number in range(1, workers + 1)]
        self._flip = 0

    @property
    def pid(self) -> int:
        """Of its process."""
        return self.running.pid

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        url = urlsplit(self.running.url)
        assert url.hostname is not None
        assert url.port is not None
        return url.hostname, url.port

    def start(self, *, heard: bool = True) -> None:
        """Start it, and let all workers serve; unheard, none does, and its document stays as it is for hours."""
        self.running.start()
        with self._ask(Role.OPERATOR) as http:
            for number, name in enumerate(self.workers, start=1):
                said = {
                    **BODY,
                    "public_key": spec(number).public_key,
                    "tunnel_addresses": [f"10.99.0.{number}"],
                }
                http.put(f"/v1/workers/{name}", json=said).raise_for_status()
        if not heard:
            return
        now = time.time()
        with self._ask(Role.ALERTMANAGER) as http:
            ups = [posted("up", name, now) for name in self.workers]
            http.post("/v1/alerts", json=webhook(posted("watchdog", None, now), *ups)).raise_for_status()

    def document(self) -> bytes:
        """What it shows."""
        with self._ask(Role.OPERATOR) as http:
            return http.get("/v1/peer-set").raise_for_status().content

    def webhook(self) -> bytes:
        """A request that changes what is published by one worker's weight: an alert that fires, or ends, in turn.

        One that takes a worker out would, when it ends, publish twice, at the hold-down's begin and at its end.
        """
        self._flip += 1
        now = time.time()
        over = posted("overloaded", self.workers[0], now - 0.001, ended_at=None if self._flip % 2 else now)
        body = json.dumps(webhook(posted("watchdog", None, now), over)).encode()
        head = (
            "POST /v1/alerts HTTP/1.1\r\nHost: receiver\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {self.running.secret(Role.ALERTMANAGER)}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def _ask(self, role: Role) -> httpx.Client:
        return httpx.Client(
            base_url=self.running.url,
            headers=bearer(self.running.secret(role)),
            timeout=LIMIT,
            trust_env=False,
        )


def _tokens(database: Path, count: int) -> list[str]:
    """Distinct tokens of clients, put into the store."""
    made = [new_token() for _ in range(count)]
    store = SqliteStore(database)
    try:
        with store.available(), store.transaction() as db:
            for number, token in enumerate(made):
                db.execute(
                    "INSERT INTO tokens (name, role, digest, created_at) VALUES (?, ?, ?, ?)",
                    (f"client{number}", Role.CLIENT, digest(token), time.time()),
                )
    finally:
        store.close()
    return made


@contextmanager
def mosquitto(directory: Path) -> Iterator[tuple[tuple[str, int], int]]:
    """Its address and process; it keeps nothing and logs nothing."""
    port = free_port()
    configuration = directory / "mosquitto.conf"
    configuration.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_dest none\n"
        "user root\nset_tcp_nodelay true\nmax_connections -1\n"
    )
    with beside([program("mosquitto"), "-c", str(configuration)], port) as pid:
        yield ("127.0.0.1", port), pid


@contextmanager
def beside(command: Sequence[str], port: int) -> Iterator[int]:
    """Another's server on the servers' core, until it is left; its process."""
    process = subprocess.Popen(
        command,
        env=environment(),
        stderr=subprocess.DEVNULL,  # mosquitto warns of root, who is the one that may make it open so many files.
        preexec_fn=pinned(SERVERS),  # noqa: PLW1509 - No thread of this process holds a lock that the child needs.
    )
    try:
        wait_until(lambda: _listens(port), LIMIT, f"{command[0]} to listen")
        yield process.pid
    finally:
        process.terminate()
        process.wait(LIMIT)


def pinned(which: int) -> Callable[[], None]:
    """What a child does first: keep to that core, and let itself open as many files as it may."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    where = {core(which)}

    def prepare() -> None:
        os.sched_setaffinity(0, where)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    return prepare


def environment() -> dict[str, str]:
    """Ours, and where the unpacked programs' libraries are."""
    return {**os.environ, "LD_LIBRARY_PATH": library_path()}


def free_port() -> int:
    """One that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def cpu_ms(*pids: int) -> float:
    """Processor time that these processes have had, all threads, to the nanosecond."""
    spent = 0
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            spent += int((thread / "schedstat").read_text().split()[0])
    return spent / 1e6


def resident_kb(pid: int) -> int:
    """Memory that it has in use."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() // 1024
