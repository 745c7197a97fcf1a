"""Wires a receiver and serves it until it is told to stop."""

import asyncio
import logging
import socket
import time

import httpx

from failover_receiver import alertmanagers, keys, retention, serving
from failover_receiver.access import Gate
from failover_receiver.doorway import create
from failover_receiver.driver import Driver
from failover_receiver.following.beside import Beside, Lent, Sharing
from failover_receiver.listening import listen, most_streams
from failover_receiver.loads import LoadReader
from failover_receiver.metrics import Metrics
from failover_receiver.opening import open_store
from failover_receiver.publication import Publication
from failover_receiver.publishing import Publishing
from failover_receiver.publishing.configured import configured
from failover_receiver.receiver import Receiver
from failover_receiver.reconcile import Reconciler
from failover_receiver.settings import Settings
from failover_receiver.state import Tick
from wgfleet.logs import Format, say

log = logging.getLogger(__name__)


async def serve(settings: Settings, log_format: Format = "text") -> None:
    """Run a receiver; returns after SIGTERM or Ctrl-C."""
    # Before anything else is opened: two receivers on one store would be worse than none.
    sockets = listen(settings.listen_address, settings.listen_port, shared=settings.processes > 1)
    metrics = Metrics()
    try:
        async with Beside(settings.processes - 1, metrics.beside) as others:
            await _serve(settings, sockets, metrics, others, log_format)
    finally:
        for one in sockets:
            one.close()


async def _serve(
    settings: Settings, sockets: list[socket.socket], metrics: Metrics, others: Beside, log_format: Format
) -> None:
    to_alertmanagers = alertmanagers.client(settings)  # What is wrong with its files is said before all else.
    publishers = configured(settings)
    serving.warn_of_clear_tokens(settings)
    signer = keys.read(settings.signing_key_file, settings.fleet)
    store, replica = open_store(settings, signer)
    keys.note_new(store, signer, now=time.time())
    publication = Publication()
    driver = Driver(
        store=store,
        signer=signer,
        policy=settings.policy,
        publication=publication,
        metrics=metrics,
        clock=time.time,
        fleet=settings.fleet,
    )
    lent = Lent()
    gate = Gate(store.tokens.all(), clock=time.time, lent=[lent.holder])
    receiver = Receiver(settings, driver, publication, gate, metrics, signer.public_text, replica)
    if replica is not None:
        replica.serve(receiver)
    async with httpx.AsyncClient(trust_env=False) as http, to_alertmanagers:
        reconciler = Reconciler(driver, metrics, settings.alertmanagers, to_alertmanagers)
        # What Alertmanager holds comes before the first decision, or a restart would look like blindness.
        await reconciler.once()
        await driver.take(Tick(), who="start")
        await receiver.registrar.start()
        loads = LoadReader(
            settings.prometheis, http, known=receiver.known_loads, metrics=metrics, clock=time.time
        )
        reading = asyncio.create_task(reconciler.run(settings.read_interval))
        sharing = [] if replica is None else [asyncio.create_task(replica.run())]
        besides = (
            loads.run(settings.load_interval),
            Publishing(publishers, publication, metrics, receiver.doubt).run(),
            retention.run(driver, settings.keep_events_days),
        )
        others_at_work = [asyncio.create_task(one) for one in besides]
        for one in others_at_work:
            one.add_done_callback(serving.tell_of_failure)
        works = [reading, *sharing, *others_at_work]
        try:
            app = create(receiver, most_streams=most_streams())
            await others.share(app, Sharing(settings, [signer.public_text], lent, log_format), sockets)
            server = serving.make(app, receiver, settings, [others, *receiver.streams])
            await server.serve_beside((reading, *sharing), sockets)
        finally:
            await others.ended()
            for task in works:
                task.cancel()
            await asyncio.gather(*works, return_exceptions=True)
            receiver.registrar.close()
            if replica is not None:
                await replica.leave()
            driver.close()
            store.close()
            say(log, "stopped")
