"""Wires the daemon and runs it until it is told to stop."""

import asyncio
import contextlib
import logging
import signal
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx

from client_sync import core
from client_sync.addresses import AddressBook, lookup
from client_sync.cache import Documents, ManagedPeers
from client_sync.config import Config
from client_sync.control import MarkedBackend, MarkedTransport, Proxy
from client_sync.driver import Driver
from client_sync.echo import Echo
from client_sync.feed import Feed, Way
from client_sync.interface import Interface, Wireguard
from client_sync.showing import Showing
from wgfleet.files import read_secret
from wgfleet.logs import say
from wgfleet.notify import Supervisor
from wgfleet.signing import Verifier

log = logging.getLogger(__name__)
ACK_SECONDS = 60.0
"""Between acks when nothing changes."""
STATUS = "status.json"


async def run(config: Config) -> None:
    """Follow the receiver and keep the interface as it says; returns after SIGTERM or Ctrl-C."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    config.state_directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    read_secret(config.token_file)  # A missing token is said now, and not with every connection.
    addresses = AddressBook(config.state_directory / "addresses.json")
    documents = Documents(config.state_directory, Verifier(config.trusted_keys), config.fleet)
    interface = Interface(
        config.interface,
        ManagedPeers(config.state_directory),
        _resolver(addresses),
        manage_routes=config.manage_routes,
        wireguard=Wireguard(),
    )
    interface.read()  # An interface that is not there is said now.
    echo, news = Echo(config.interface), asyncio.Event()
    supervisor = Supervisor()
    showing = Showing(config.state_directory / STATUS, config.textfile, supervisor.status)
    driver = Driver(
        settings=core.Settings(config.name, config.policy, standby_interval=config.standby_probe_interval),
        interface=interface,
        documents=documents,
        prober=echo,
        clock=time.monotonic,
        changed=lambda _state: news.set(),
    )
    async with _http(config, interface, addresses) as http:
        feed = Feed(
            http,
            config.receivers,
            lambda: read_secret(config.token_file),
            poll_interval=config.poll_interval,
        )
        driver.start(documents.last_good())
        supervisor.ready()
        tasks = [
            asyncio.create_task(_follow(feed, driver)),
            asyncio.create_task(_report(showing, feed, driver, http, news)),
            asyncio.create_task(stop.wait()),
        ]
        alive = asyncio.create_task(supervisor.feed())  # Ends at once where there is no watchdog.
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # A task that died of a bug takes the daemon along, and systemd starts it again.
        finally:
            supervisor.stopping()
            for task in (*tasks, alive):
                task.cancel()
            await asyncio.gather(*tasks, alive, return_exceptions=True)
            driver.close()
            echo.close()
            say(log, "stopped", interface=config.interface)


async def _follow(feed: Feed, driver: Driver) -> None:
    async for document in feed.documents():
        driver.document(document)


async def _report(
    showing: Showing, feed: Feed, driver: Driver, http: httpx.AsyncClient, news: asyncio.Event
) -> None:
    """Tell the receiver, and whoever asks on this machine, what is applied."""
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ACK_SECONDS):
                await news.wait()
        news.clear()
        state = driver.state
        showing.show(describe(state, feed.receiver, feed.way))
        if feed.receiver is None or state.peer_set is None:
            continue
        epoch, generation = state.peer_set.number
        ack = {"epoch": epoch, "generation": generation, "active": state.active}
        try:
            answer = await http.post(
                f"{feed.receiver}/v1/acks", json=ack, headers=feed.headers(), timeout=10.0
            )
            answer.raise_for_status()
        except (httpx.HTTPError, ValueError) as error:
            say(log, "ack not taken", level=logging.WARNING, error=str(error) or type(error).__name__)


def describe(state: core.State, receiver: str | None, way: Way | None = None) -> dict[str, object]:
    """What `wgfleet-sync status` shows."""
    peer_set = state.peer_set
    return {
        "receiver": receiver,
        "heard_by": way,
        "epoch": peer_set.epoch if peer_set else None,
        "generation": peer_set.generation if peer_set else None,
        "monitoring": peer_set.monitoring if peer_set else None,
        "fresh_until": peer_set.fresh_until if peer_set else None,
        "active": state.active,
        "workers": {
            name: {
                "state": worker.state,
                "reason": worker.reason,
                "misses": state.liveness[name].misses if name in state.liveness else None,
            }
            for name, worker in core.workers(state).items()
        },
    }


@contextlib.asynccontextmanager
async def _http(
    config: Config, interface: Interface, addresses: AddressBook
) -> AsyncIterator[httpx.AsyncClient]:
    context = ssl.create_default_context(cafile=_text(config.ca_file))
    backend = MarkedBackend(lambda: interface.mark, addresses, lookup)
    transport = MarkedTransport(backend, context, _proxy(config))
    async with httpx.AsyncClient(transport=transport, trust_env=False) as http:
        yield http


def _proxy(config: Config) -> Proxy | None:
    if config.proxy is None:
        return None
    file = config.proxy_credentials_file
    return Proxy(config.proxy, None if file is None else read_secret(file))


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _resolver(addresses: AddressBook) -> Callable[[str, int], str | None]:
    def resolve(host: str, port: int) -> str | None:
        if ":" in host or host.replace(".", "").isdigit():
            return host
        known = addresses.remembered(host)
        if not known:
            try:
                known = lookup(host, port)
            except OSError as error:
                say(log, "endpoint does not resolve", level=logging.ERROR, host=host, error=error)
                return None
            addresses.remember(host, known)
        return known[0]

    return resolve
