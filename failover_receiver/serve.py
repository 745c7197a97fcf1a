"""Wires a receiver and serves it until it is told to stop."""

import asyncio
import gc
import ipaddress
import logging
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn

from failover_receiver import alertmanagers, keys, retention
from failover_receiver.access import Gate
from failover_receiver.doorway import PEER_SET, PEER_SET_READERS, create
from failover_receiver.driver import Driver
from failover_receiver.listening import BACKLOG, listen, most_streams, url
from failover_receiver.loads import LoadReader
from failover_receiver.metrics import Metrics
from failover_receiver.opening import open_store
from failover_receiver.polls import Polls, protocol
from failover_receiver.publication import Publication
from failover_receiver.receiver import Receiver, Streams
from failover_receiver.reconcile import Reconciler
from failover_receiver.settings import Settings
from failover_receiver.state import Tick
from wgfleet.logs import say

log = logging.getLogger(__name__)
GRACE_SECONDS = 3
"""For requests under way when we are told to stop; streams are ended at once."""

COLLECT_AFTER = (100_000, 50, 50)
"""Objects made, and collections of the younger generation. Ten thousand streams are a million objects, none of them garbage:
with Python's own (700, 10, 10) looking through them takes more time than a whole crowd's coming does."""


class _Server(uvicorn.Server):
    """Stops cleanly: uvicorn alone waits for open streams forever, and then dies of the signal it has caught."""

    def __init__(self, config: uvicorn.Config, *streams: Streams) -> None:
        super().__init__(config)
        self._streams = streams

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for one in sockets or []:
            say(log, "serving", url=url(one, tls=self.config.ssl is not None))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # A body that is not whole may never be: nothing was done of it, and its sender asks again.
        for connection in list(self.server_state.connections):
            cycle = getattr(connection, "cycle", None)
            if cycle is not None and cycle.more_body and not cycle.response_started:
                connection.transport.close()
        await super().shutdown(sockets)

    def _stop(self) -> None:
        for stream in self._streams:
            stream.close()
        self.should_exit = True


async def serve(settings: Settings) -> None:
    """Run a receiver; returns after SIGTERM or Ctrl-C."""
    # Before anything else is opened: two receivers on one store would be worse than none.
    sockets = listen(settings.listen_address, settings.listen_port)
    try:
        await _serve(settings, sockets)
    finally:
        for one in sockets:
            one.close()


async def _serve(settings: Settings, sockets: list[socket.socket]) -> None:
    to_alertmanagers = alertmanagers.client(settings)  # What is wrong with its files is said before all else.
    if settings.tls_certificate_file is None and not _is_loopback(settings.listen_address):
        say(log, "no TLS: tokens go in clear, unless a proxy or a tunnel carries them", level=logging.WARNING,
            listen_address=settings.listen_address)  # fmt: skip
    signer = keys.read(settings.signing_key_file, settings.fleet)
    store, replica = open_store(settings, signer)
    keys.note_new(store, signer, now=time.time())
    publication, metrics = Publication(), Metrics()
    driver = Driver(
        store=store,
        signer=signer,
        policy=settings.policy,
        publication=publication,
        metrics=metrics,
        clock=time.time,
        fleet=settings.fleet,
    )
    gate = Gate(store.tokens.all(), clock=time.time)
    receiver = Receiver(settings, driver, publication, gate, metrics, signer.public_text, replica)
    if replica is not None:
        replica.serve(receiver)
    async with httpx.AsyncClient(trust_env=False) as http, to_alertmanagers:
        reconciler = Reconciler(driver, metrics, settings.alertmanagers, to_alertmanagers)
        # What Alertmanager holds comes before the first decision, or a restart would look like blindness.
        await reconciler.once()
        await driver.take(Tick(), who="start")
        await receiver.registrar.start()
        reading = asyncio.create_task(reconciler.run(settings.read_interval))
        sharing = asyncio.create_task(replica.run() if replica is not None else asyncio.sleep(0))
        loads = LoadReader(
            settings.prometheis, http, known=receiver.known_loads, metrics=metrics, clock=time.time
        )
        asking = asyncio.create_task(loads.run(settings.load_interval))
        forgetting = asyncio.create_task(retention.run(driver, settings.keep_events_days))
        try:
            server = _server(settings, receiver)
            gc.collect()
            gc.freeze()
            gc.set_threshold(*COLLECT_AFTER)
            await server.serve(sockets)
        finally:
            for task in (reading, asking, forgetting, sharing):
                task.cancel()
            await asyncio.gather(reading, asking, forgetting, sharing, return_exceptions=True)
            receiver.registrar.close()
            if replica is not None:
                await replica.leave()
            driver.close()
            store.close()
            say(log, "stopped")


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _server(settings: Settings, receiver: Receiver) -> _Server:
    most = most_streams()
    say(log, "streams are limited by the open files that are allowed", most_streams=most)
    config = uvicorn.Config(
        create(receiver, most_streams=most),
        interface="asgi3",
        http=protocol(Polls(PEER_SET, receiver.publication, receiver.gate, PEER_SET_READERS)),
        backlog=BACKLOG,
        ssl_certfile=settings.tls_certificate_file,
        ssl_keyfile=settings.tls_key_file,
        log_config=None,
        access_log=False,
        server_header=False,
        # Said in full, or a variable of the environment would decide who is believed.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return _Server(config, receiver.publication, receiver.client_list, *receiver.streams)
