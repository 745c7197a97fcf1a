"""`make bench NAME=ingest`: how many alerts the receiver takes in, durably.

The real `wgfleet-receiver run` with 64 workers and 1,000 alerts known, beside a plain handler of FastAPI that commits
each alert by itself with the same durability (_plain.py); they take turns in one run. Each server has core 0, the
posting has core 1. Every alert begins anew, so every one changes a row; afterwards the store is read to see that it did.
What is posted is WireGuardWorkerUp, the alert that comes in numbers; nothing is published by it.
"""

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table as Printed

from failover_receiver.access import Role
from tests.bench._posting import Bodies, Load, post
from tests.failover_receiver.parts import BODY, bearer
from tests.failover_receiver.running import Running

WORKERS = 64
ALERTS = 1000
SENDERS = 32
SERVER_CORE, POSTING_CORE = 0, 1


@dataclass(frozen=True)
class Server:
    """One of the two that are compared."""

    name: str
    url: str
    token: str
    pid: int
    single: list[Load] = field(default_factory=list)
    """One alert in each webhook, from many senders."""
    cpu: list[float] = field(default_factory=list)
    """Microseconds of the server's processor time for each of these."""
    large: list[Load] = field(default_factory=list)
    """A thousand alerts in each webhook, from one sender."""

    @property
    def rate(self) -> float:
        """Webhooks a second."""
        return statistics.median(load.rate for load in self.single)

    @property
    def p50_large(self) -> float:
        """Milliseconds for a thousand alerts."""
        return statistics.median(load.p50 for load in self.large)


def main() -> None:
    """Measure and print."""
    arguments = _parser().parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ingest.", dir=arguments.directory))
    os.sched_setaffinity(0, {POSTING_CORE})
    with receiver(folder / "receiver") as ours, plain(folder) as other:
        for _ in range(arguments.rounds):
            for server in (ours, other):
                # The plain one takes a second for a thousand: fewer of those tell enough.
                large = arguments.large if server is ours else max(3, arguments.large // 10)
                measure(server, arguments.seconds, large)
        watched = check(ours, folder / "receiver" / "receiver.db")
    show(ours, other, disk=_disk(folder), watched=watched)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench ingest", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of single alerts in each round")
    parser.add_argument("--large", type=int, default=20, help="webhooks of a thousand alerts in each round")
    parser.add_argument("--rounds", type=int, default=3, help="rounds in which the two take turns")
    parser.add_argument("--directory", default=None, help="where the stores are, on a real disk")
    return parser


# The two servers.


@contextmanager
def receiver(folder: Path) -> Iterator[Server]:
    """The real one, with its workers registered and monitoring live."""
    running = Running(folder)
    with on_core(SERVER_CORE):
        running.start()
    try:
        with httpx.Client(
            base_url=running.url, headers=bearer(running.secret(Role.OPERATOR)), trust_env=False
        ) as http:
            for number in range(WORKERS):
                http.put(f"/v1/workers/{_worker(number)}", json=_body(number)).raise_for_status()
        yield Server("wgfleet-receiver", running.url, running.secret(Role.ALERTMANAGER), running._process.pid)
    finally:
        running.kill()


@contextmanager
def plain(folder: Path) -> Iterator[Server]:
    """The plain one."""
    command = [sys.executable, "-m", "tests.bench._plain", str(folder)]
    with on_core(SERVER_CORE):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("token\n")
        process.stdin.flush()
        yield Server("one commit for each", process.stdout.readline().strip(), "token", process.pid)
    finally:
        process.kill()
        process.communicate()


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """What is started meanwhile has this core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _worker(number: int) -> str:
    return f"w{number:02}"


def _body(number: int) -> dict[str, Any]:
    key = f"{number:042}A="
    return {**BODY, "public_key": key, "tunnel_addresses": [f"10.99.0.{number + 1}"]}


# Measuring.


def alerts() -> list[dict[str, Any]]:
    """As many different ones, of all workers in turn."""
    return [
        {
            "status": "firing",
            "labels": {
                "alertname": "WireGuardWorkerUp",
                "worker": _worker(number % WORKERS),
                "severity": "none",
                "action": "admit",
                "rule": str(number // WORKERS),
            },
            "annotations": {"summary": "the last three probes through the tunnel were answered"},
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example:9090/graph?g0.expr=probe_success&g0.tab=1",
            "fingerprint": f"{number:016x}",
        }
        for number in range(ALERTS)
    ]


def measure(server: Server, seconds: float, large: int) -> None:
    """One round."""
    post(server.url, Bodies(server.url, server.token, [_watchdog()], 1), senders=1, until=lambda n: n >= 1)
    thousand = Bodies(server.url, server.token, alerts(), ALERTS)
    server.large.append(post(server.url, thousand, senders=1, until=lambda n: n >= large))
    singles = Bodies(server.url, server.token, alerts(), 1)
    before = _cpu(server.pid)
    load = post(server.url, singles, senders=SENDERS, until=_after(seconds))
    server.cpu.append((_cpu(server.pid) - before) / load.answered * 1e6)
    server.single.append(load)


def _after(seconds: float) -> Callable[[int], bool]:
    end = time.perf_counter() + seconds
    return lambda _: time.perf_counter() >= end


def _watchdog() -> dict[str, Any]:
    labels = {"alertname": "Watchdog", "action": "watchdog", "worker": ""}
    return {"status": "firing", "labels": labels, "fingerprint": "watchdog"}


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def check(server: Server, file: Path) -> str:
    """That it was what it should be: each alert's row begins when it was last posted, and monitoring was believed."""
    last = Bodies(server.url, server.token, alerts(), ALERTS)
    post(server.url, last, senders=1, until=lambda n: n >= 1)
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as db:
        rows = db.execute("SELECT starts_at FROM alerts WHERE action = 'admit'").fetchall()
    assert len(rows) == ALERTS
    assert all(abs(begun - last.last) < 1e-5 for (begun,) in rows), "a row was not written"
    return f"{len(rows)} rows begin as posted"


def _disk(folder: Path) -> float:
    """What one fdatasync of a page takes there, in milliseconds."""
    took = []
    with (folder / "probe").open("wb", buffering=0) as file:
        for _ in range(100):
            file.write(bytes(4096))
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - begun)
    return statistics.median(took) * 1000


# Printing.


def show(ours: Server, other: Server, *, disk: float, watched: str) -> None:
    """A table for people, then a line for programs."""
    table = Printed("", "webhooks/s", "p50 ms", "server CPU µs", "poster's core", f"{ALERTS} alerts: p50 ms")
    for server in (ours, other):
        load = sum(one.sender_cpu for one in server.single) / sum(one.seconds for one in server.single)
        table.add_row(
            *(server.name, f"{server.rate:,.0f}", f"{_median(one.p50 for one in server.single):.2f}"),
            *(f"{_median(server.cpu):.0f}", f"{load:.0%}", f"{server.p50_large:.1f}"),
        )
    Console(width=100).print(table)
    print(f"{SENDERS} senders, one alert in each webhook; one fdatasync takes {disk:.2f} ms here; {watched}")
    print(json.dumps({
        "rps_c32": round(ours.rate), "p50_ms_1000": round(ours.p50_large, 2),
        "ratio": round(ours.rate / other.rate, 2), "plain_rps_c32": round(other.rate),
        "plain_p50_ms_1000": round(other.p50_large, 2), "cpu_us": round(_median(ours.cpu)),
        "plain_cpu_us": round(_median(other.cpu)),
    }))  # fmt: skip


def _median(values: Iterator[float] | Sequence[float]) -> float:
    return statistics.median(values)


if __name__ == "__main__":
    main()
