"""`make bench NAME=poll`: what it costs to tell a client that nothing has changed.

Clients that cannot follow a stream ask again and again, each with its own token, over connections that stay open; nearly always
the answer is 304. Compared in one run, in turns: the real receiver, which knows 10,000 tokens and gets another one with each
request, and nginx, which answers 304 for a file of the same size and asks for no token. What counts is the server's processor
time for each answer. wrk asks, from a core of its own.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table as Printed

from tests.bench._servers import (
    Receiver,
    beside,
    cpu_ms,
    free_port,
)
from tests.bench._wrk import asked
from tests.failover_receiver.parts import bearer
from tests.lab.programs import program

TOKENS, CONNECTIONS, WORKERS = 10_000, 64, 8
TURNS = 5
"""Of each server; the median counts."""

FORMATTED = """
function formatted(line)
    local token, tag = line:match("^(%S+) (%S+)$")
    return wrk.format("GET", nil, {Authorization = "Bearer " .. token, ["If-None-Match"] = tag})
end
"""

NGINX = """
daemon off; master_process off; worker_processes 1; user root;
pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
    access_log off; etag on; keepalive_requests 1000000000; default_type application/jose;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; root {folder}/www; }}
}}
"""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one server was asked for a while."""

    cpu_us: float
    """Its processor time for one answer."""
    per_second: float


@dataclass(frozen=True, slots=True)
class Asked:
    """One server that wrk asks."""

    name: str
    url: str
    pid: int
    requests: Path
    """A token and a tag for each request, in turn."""


class NotTheSameError(AssertionError):
    """A server does something else than answer 304."""


def main() -> int:
    """Run the bench; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench poll", description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="of each turn (%(default)s)")
    arguments = parser.parse_args()
    console = Console(stderr=True)
    turns = compare(arguments.seconds, TURNS, TOKENS, console)
    print_table(turns)
    print(json.dumps(summary(turns)))
    return 0


def summary(turns: dict[str, list[Turn]]) -> dict[str, float]:
    """The last line."""
    ours, theirs = (statistics.median(turn.cpu_us for turn in turns[name]) for name in ("receiver", "nginx"))
    return {
        "vs_nginx": round(theirs / ours, 2),
        "us_per_304": round(ours, 2),
        "nginx_us_per_304": round(theirs, 2),
        "per_cpu_second": round(1e6 / ours),
    }


def compare(seconds: int, count: int, tokens: int, console: Console) -> dict[str, list[Turn]]:
    """Both servers, in turns."""
    with tempfile.TemporaryDirectory(prefix="wgfleet-poll.") as name:
        folder = Path(name)
        receiver = Receiver(folder / "receiver", workers=WORKERS, tokens=tokens)
        # Monitoring that was heard and falls silent is news, and no poll would find nothing new then.
        receiver.start(heard=False)
        try:
            document = receiver.document()
            with nginx(folder, document) as beside_it:
                servers = (_receiver(folder, receiver), beside_it)
                turns: dict[str, list[Turn]] = {server.name: [] for server in servers}
                for number in range(count):
                    for server in servers:
                        turn = ask(server, seconds, len(document))
                        turns[server.name].append(turn)
                        console.print(f"  turn {number + 1}: {server.name} {turn.cpu_us:.1f} µs")
                return turns
        finally:
            receiver.running.kill()


def ask(server: Asked, seconds: int, size: int) -> Turn:
    """Let wrk ask for so long."""
    before = cpu_ms(server.pid)
    told, said = asked(FORMATTED, server.url, server.requests, connections=CONNECTIONS, seconds=seconds)
    spent = cpu_ms(server.pid) - before
    if told["wrong"] or not told["requests"] or told["bytes"] / told["requests"] >= size:
        raise NotTheSameError(f"{server.name} answered something else than 304: {said}")
    return Turn(1000 * spent / told["requests"], told["requests"] / seconds)


def _receiver(folder: Path, receiver: Receiver) -> Asked:
    url = f"{receiver.running.url}/v1/peer-set"
    tag = _tag(url, bearer(receiver.tokens[0]))
    return Asked("receiver", url, receiver.pid, _requests(folder / "receiver.asked", receiver.tokens, tag))


@contextmanager
def nginx(folder: Path, document: bytes) -> Iterator[Asked]:
    """It serves the same bytes as a file."""
    (folder / "www").mkdir()
    (folder / "www" / "peer-set").write_bytes(document)
    folder.chmod(0o755)
    port, configuration = free_port(), folder / "nginx.conf"
    configuration.write_text(NGINX.format(folder=folder, port=port))
    command = [program("nginx"), "-c", str(configuration), "-e", str(folder / "nginx.log")]
    with beside(command, port) as pid:
        url = f"http://127.0.0.1:{port}/peer-set"
        # Of the same length as ours: reading a request costs, too.
        tokens = [f"{number:043d}" for number in range(TOKENS)]
        yield Asked("nginx", url, pid, _requests(folder / "nginx.asked", tokens, _tag(url, {})))


def _tag(url: str, headers: dict[str, str]) -> str:
    """The tag of what is there; an answer with it must be 304."""
    with httpx.Client(trust_env=False, headers=headers) as http:
        tag = http.get(url).raise_for_status().headers["etag"]
        status = http.get(url, headers={"If-None-Match": tag}).status_code
    if status != httpx.codes.NOT_MODIFIED:
        raise NotTheSameError(f"{url} answered {status} to who has it already")
    return str(tag)


def _requests(file: Path, tokens: Sequence[str], tag: str) -> Path:
    file.touch(mode=0o600)
    file.write_text("".join(f"{token} {tag}\n" for token in tokens))
    return file


def print_table(turns: dict[str, list[Turn]]) -> None:
    """For people."""
    table = Printed(box=None, header_style="bold")
    for column in ("server", "CPU µs for a 304", "least", "most", "for a CPU second", "answers/s"):
        table.add_column(column, justify="left" if column == "server" else "right", no_wrap=True)
    for name, some in turns.items():
        cpu = [turn.cpu_us for turn in some]
        table.add_row(name, f"{statistics.median(cpu):.2f}", f"{min(cpu):.2f}", f"{max(cpu):.2f}",
                      f"{1e6 / statistics.median(cpu):.0f}", f"{statistics.median(t.per_second for t in some):.0f}")  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
