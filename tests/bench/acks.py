"""`make bench NAME=acks`: what it costs the receiver to hear what its clients have applied.

Each client says so once a minute, and after each document and each move: at the receiver itself, or at a follower, which passes
a thousand on at once. Both ways in turns, by wrk from a core of its own, with another token each time. What counts is the
receiver's processor time for each ack. In the end all have said something: then the page of metrics is asked for, which
counts them.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table as Printed

from failover_receiver.access import Role
from failover_receiver.following.outgoing import PATH as BATCH
from failover_receiver.following.passing import MOST_AT_ONCE
from tests.bench._servers import Receiver, cpu_ms
from tests.bench._wrk import asked
from tests.failover_receiver.parts import LIMIT, bearer

CLIENTS, CONNECTIONS, WORKERS = 100_000, 64, 8
TURNS = 5
"""Of each way; the median counts."""
PAGES = 5
"""Of metrics."""

FORMATTED = """
function formatted(line)
    local path, token, body = line:match("^(%S+) (%S+) (.*)$")
    return wrk.format("POST", path, {Authorization = "Bearer " .. token, ["Content-Type"] = "application/json"}, body)
end
"""


@dataclass(frozen=True, slots=True)
class Way:
    """How acks reach the receiver."""

    name: str
    requests: Path
    """Of each request path, token and body."""
    acks: int
    """In each request."""
    connections: int


class RefusedAcksError(AssertionError):
    """The receiver did not take what it was told."""


def main() -> int:
    """Run the bench; return its exit status."""
    parser = argparse.ArgumentParser(prog="make bench NAME=acks", description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="of each turn (%(default)s)")
    parser.add_argument("--count", type=int, default=CLIENTS, help="clients (%(default)s)")
    arguments = parser.parse_args()
    console = Console(stderr=True)
    told = measure(arguments.seconds, TURNS, arguments.count, console)
    print_table(told)
    print(json.dumps(told))
    return 0


def measure(seconds: int, turns: int, clients: int, console: Console) -> dict[str, float]:
    """The last line: microseconds of processor time for an ack, either way, and milliseconds for a page."""
    with tempfile.TemporaryDirectory(prefix="wgfleet-acks.") as name:
        folder = Path(name)
        console.print(f"a receiver that knows {clients} clients' tokens")
        receiver = Receiver(folder / "receiver", workers=WORKERS, tokens=clients)
        receiver.start(heard=False)
        try:
            with _ask(receiver, Role.OPERATOR) as http:
                made = http.post("/v1/tokens", json={"name": "edge", "role": Role.FOLLOWER})
                follower = str(made.raise_for_status().json()["token"])
            ways = (_direct(folder, receiver), _passed_on(folder, receiver, follower))
            spent: dict[str, list[float]] = {way.name: [] for way in ways}
            for number in range(turns):
                for way in ways:
                    spent[way.name].append(_told(receiver, way, seconds))
                    console.print(f"  turn {number + 1}: {way.name} {spent[way.name][-1]:.1f} µs an ack")
            counted, page = _pages(receiver)
        finally:
            receiver.running.kill()
    ours, passed = (statistics.median(spent[way.name]) for way in ways)
    return {
        "us_per_ack": round(ours, 1),
        "per_cpu_second": round(1e6 / ours),
        "us_per_ack_passed_on": round(passed, 1),
        "passed_on_per_cpu_second": round(1e6 / passed),
        "clients_heard": counted,
        "ms_per_page": round(page, 1),
    }


def _told(receiver: Receiver, way: Way, seconds: int) -> float:
    """Microseconds that one ack took."""
    before = cpu_ms(receiver.pid)
    told, said = asked(
        FORMATTED, receiver.running.url, way.requests, connections=way.connections, seconds=seconds
    )
    spent = cpu_ms(receiver.pid) - before
    if told["wrong"] or not told["requests"]:
        raise RefusedAcksError(f"{way.name}: the receiver did not take them all: {said}")
    return 1000.0 * spent / (int(told["requests"]) * way.acks)


def _pages(receiver: Receiver) -> tuple[int, float]:
    """How many clients are counted, and the milliseconds of processor time that it takes to count them."""
    spent = []
    with _ask(receiver, Role.PROMETHEUS) as http:
        for _ in range(PAGES):
            before = cpu_ms(receiver.pid)
            page = http.get("/metrics").raise_for_status().text
            spent.append(cpu_ms(receiver.pid) - before)
    (heard,) = [line for line in page.splitlines() if line.startswith("wgfleet_receiver_clients ")]
    return int(float(heard.split()[1])), statistics.median(spent)


def _direct(folder: Path, receiver: Receiver) -> Way:
    lines = [
        f"/v1/acks {token} {json.dumps(_ack(receiver.workers, number))}"
        for number, token in enumerate(receiver.tokens)
    ]
    return Way("by each client", _written(folder / "each", lines), 1, CONNECTIONS)


def _passed_on(folder: Path, receiver: Receiver, follower: str) -> Way:
    acks = [
        {"token": token, "ack": _ack(receiver.workers, number)}
        for number, token in enumerate(receiver.tokens)
    ]
    at_once = min(MOST_AT_ONCE, len(acks))
    whole = range(0, len(acks) - at_once + 1, at_once)
    lines = [f"{BATCH} {follower} {json.dumps({'acks': acks[first : first + at_once]})}" for first in whole]
    return Way("by a follower", _written(folder / "passed", lines), at_once, 1)


def _ack(workers: Sequence[str], number: int) -> dict[str, object]:
    """What a daemon says with three workers in sight."""
    seen = [workers[(number + step) % len(workers)] for step in range(3)]
    sees = {worker: {"answers": True, "rtt_ms": 12.3} for worker in seen}
    return {"epoch": 1, "generation": 1, "active": seen[0], "sees": sees}


def _written(file: Path, lines: Sequence[str]) -> Path:
    file.touch(mode=0o600)
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def _ask(receiver: Receiver, role: Role) -> httpx.Client:
    headers = bearer(receiver.running.secret(role))
    return httpx.Client(base_url=receiver.running.url, headers=headers, timeout=LIMIT, trust_env=False)


def print_table(told: dict[str, float]) -> None:
    """For people."""
    table = Printed(box=None, header_style="bold")
    for column in ("acks", "CPU µs each", "for a CPU second"):
        table.add_column(column, justify="left" if column == "acks" else "right", no_wrap=True)
    table.add_row("by each client", f"{told['us_per_ack']}", f"{told['per_cpu_second']}")
    table.add_row("by a follower", f"{told['us_per_ack_passed_on']}", f"{told['passed_on_per_cpu_second']}")
    Console().print(table)
    Console().print(
        f"a page of metrics that counts {told['clients_heard']} clients: {told['ms_per_page']} ms"
    )


if __name__ == "__main__":
    sys.exit(main())
