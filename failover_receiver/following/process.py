"""One of the processes beside the one that decides. It is told on its standard input what to be, and ends when that does."""

import asyncio
import json
import os
import resource
import sys
import time
from pathlib import Path

import httpx
import uvloop

from failover_receiver import serving
from failover_receiver.following import app
from failover_receiver.following.beside import Told
from failover_receiver.following.edge import Edge
from failover_receiver.following.forward import Forward
from failover_receiver.following.outgoing import Acks
from failover_receiver.following.passing import Passing
from failover_receiver.following.reports import Report
from failover_receiver.following.upstream import Upstream
from failover_receiver.listening import join, most_streams
from wgfleet import logs
from wgfleet.signing import Verifier

RECEIVER = "http://receiver"
"""Whatever it is called: there is one at the other end of the socket."""
REPORT_SECONDS = 1.0
STANDARD_INPUT = 0


def main() -> int:
    """Serve until the one that decides ends, or a signal."""
    line = sys.stdin.buffer.readline()
    if not line:
        return 0  # The one that decides has ended before it began.
    told = Told(**json.loads(line))
    logs.configure(told.log_format)
    uvloop.run(_run(told))
    return 0


async def _run(told: Told) -> None:
    transport = httpx.AsyncHTTPTransport(uds=told.socket, limits=httpx.Limits(max_keepalive_connections=20))
    async with httpx.AsyncClient(transport=transport, trust_env=False) as http:
        edge = Edge(told.fleet, Verifier(told.keys), clock=time.time, inner=True)
        upstream = Upstream(edge, http, [RECEIVER], lambda: told.token, inner=True)
        stopped = _stopped()
        following, ending, hearing = (
            asyncio.create_task(one) for one in (upstream.run(), stopped.wait(), edge.ready.wait())
        )
        following.add_done_callback(lambda _: stopped.set())  # Deaf, it ends; and is started again.
        try:
            await asyncio.wait({ending, hearing}, return_when=asyncio.FIRST_COMPLETED)
            if not stopped.is_set():
                await _serve(told, edge, http, upstream, stopped)
            if following.done():
                following.result()
        finally:
            for task in (following, ending, hearing):
                task.cancel()
            await asyncio.gather(following, ending, hearing, return_exceptions=True)


async def _serve(
    told: Told, edge: Edge, http: httpx.AsyncClient, upstream: Upstream, stopped: asyncio.Event
) -> None:
    passing = Passing(Acks(edge, http, upstream).post)
    forward = Forward(http, lambda: RECEIVER, keep_host=True)
    face = app.create_inner(edge, passing, forward, most_streams=most_streams())
    server = serving.make(face, edge, _Listening(told), [], word="a process serves")
    others = [
        asyncio.create_task(one) for one in (_stop(server, stopped), _report(edge, server))
    ]  # fmt: skip
    try:
        await server.serve(join(told.listen_address, told.listen_port))
    finally:
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class _Listening:
    """What it was told, as a configuration says it."""

    def __init__(self, told: Told) -> None:
        self.listen_address = told.listen_address
        self.trusted_proxies = told.trusted_proxies
        self.tls_certificate_file = _path(told.tls_certificate_file)
        self.tls_key_file = _path(told.tls_key_file)


def _path(said: str | None) -> Path | None:
    return None if said is None else Path(said)


def _stopped() -> asyncio.Event:
    """Set when the one that decides closes the pipe, or is no more."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def readable() -> None:
        if not os.read(STANDARD_INPUT, 4096):
            loop.remove_reader(STANDARD_INPUT)
            stopped.set()

    loop.add_reader(STANDARD_INPUT, readable)
    return stopped


async def _stop(server: serving.Server, stopped: asyncio.Event) -> None:
    await stopped.wait()
    server.stop()


async def _report(edge: Edge, server: serving.Server) -> None:
    await server.began.wait()
    while True:
        watchers = edge.publication.watchers + edge.client_list.watchers
        sys.stdout.buffer.write(Report(watchers, time.process_time(), _resident_bytes()).line())
        sys.stdout.buffer.flush()
        await asyncio.sleep(REPORT_SECONDS)


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    sys.exit(main())
