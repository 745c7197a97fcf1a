"""Wires a receiver and serves it until it is told to stop."""

import asyncio
import gc
import ipaddress
import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn

from failover_receiver import keys, retention
from failover_receiver.access import Gate
from failover_receiver.app import create_app
from failover_receiver.driver import Driver
from failover_receiver.loads import LoadReader
from failover_receiver.metrics import Metrics
from failover_receiver.publication import Publication
from failover_receiver.receiver import Receiver
from failover_receiver.reconcile import Reconciler
from failover_receiver.settings import Settings
from failover_receiver.state import Tick
from failover_receiver.store import SqliteStore
from wgfleet.logs import say

log = logging.getLogger(__name__)
GRACE_SECONDS = 3
"""For requests under way when we are told to stop; streams are ended at once."""


class _Server(uvicorn.Server):
    """Stops cleanly: uvicorn alone waits for open streams forever, and then dies of the signal it has caught."""

    def __init__(self, config: uvicorn.Config, publication: Publication) -> None:
        super().__init__(config)
        self._publication = publication

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        yield

    def _stop(self) -> None:
        self._publication.close()
        self.should_exit = True


async def serve(settings: Settings) -> None:
    """Run a receiver; returns after SIGTERM or Ctrl-C."""
    if settings.tls_certificate_file is None and not _is_loopback(settings.listen_address):
        say(log, "no TLS: tokens go in clear, unless a proxy or a tunnel carries them", level=logging.WARNING,
            listen_address=settings.listen_address)  # fmt: skip
    signer = keys.read(settings.signing_key_file, settings.fleet)
    store = SqliteStore(settings.store)
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
    receiver = Receiver(
        settings, driver, publication, Gate(store.tokens.all(), clock=time.time), metrics, signer.public_text
    )
    async with httpx.AsyncClient(trust_env=False) as http:
        reconciler = Reconciler(driver, metrics, settings.alertmanagers, http)
        # What Alertmanager holds comes before the first decision, or a restart would look like blindness.
        await reconciler.once()
        await driver.take(Tick(), who="start")
        reading = asyncio.create_task(reconciler.run(settings.read_interval))
        loads = LoadReader(settings.prometheis, http, known=receiver.known_loads, metrics=metrics, clock=time.time)
        asking = asyncio.create_task(loads.run(settings.load_interval))
        forgetting = asyncio.create_task(retention.run(driver, settings.keep_events_days))
        try:
            # Long-lived streams hold many objects: without this, full collections stop the push for all of them.
            gc.collect()
            gc.freeze()
            await _server(settings, receiver).serve()
        finally:
            for task in (reading, asking, forgetting):
                task.cancel()
            await asyncio.gather(reading, asking, forgetting, return_exceptions=True)
            driver.close()
            store.close()
            say(log, "stopped")


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _server(settings: Settings, receiver: Receiver) -> _Server:
    config = uvicorn.Config(
        create_app(receiver),
        host=settings.listen_address,
        port=settings.listen_port,
        ssl_certfile=settings.tls_certificate_file,
        ssl_keyfile=settings.tls_key_file,
        log_config=None,
        access_log=False,
        server_header=False,
        # Said in full, or a variable of the environment would decide who is believed.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        # Said in full, or a variable of the environment would decide who is believed.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return _Server(config, receiver.publication)
