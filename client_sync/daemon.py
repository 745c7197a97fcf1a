"""Wires the daemon and runs it until it is told to stop."""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence

import httpx

from client_sync.addresses import BOOK, AddressBook
from client_sync.cache import Documents
from client_sync.config import Config, ConfigurationError, Role
from client_sync.control import MarkedBackend, Proxy, marked_backend, marked_client
from client_sync.driver import Driver
from client_sync.feed import Feed
from client_sync.following import BrokerFirst, Followed
from client_sync.layout import Layout
from client_sync.layouts import Laid, lay_out
from client_sync.names import Names
from client_sync.polling import taken
from client_sync.remarks import Remarks, open_secrets
from client_sync.report import STATUS, describe, seen
from client_sync.showing import Showing
from client_sync.state import Settings
from wgfleet.files import read_secret
from wgfleet.logs import say
from wgfleet.notify import Supervisor
from wgfleet.signing import Verifier

log = logging.getLogger(__name__)
ACK_SECONDS = 60.0
"""Between acks when nothing changes."""
STATUS_SECONDS = 10.0
"""Between two writings of what `wgfleet-sync status` shows, when nothing changes."""


async def run(config: Config) -> None:
    """Follow the receiver and keep the interface as it says; returns after SIGTERM or Ctrl-C."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if config.receivers:
        read_secret(config.token_file)  # A missing token is said now, and not with every connection.
    addresses = AddressBook(config.state_directory / BOOK)
    names = Names(addresses)
    laid = lay_out(config, names)
    laid.first()
    try:
        await _run(config, laid, addresses, names, stop)
    except Exception as error:
        if (stays := laid.stays()) is not None:
            error.add_note(stays)
        raise


async def _run(config: Config, laid: Laid, addresses: AddressBook, names: Names, stop: asyncio.Event) -> None:
    documents = Documents(config.state_directory, Verifier(config.trusted_keys), config.fleet)
    is_vantage = config.role is Role.VANTAGE
    interface = laid.layout
    interface.read()  # An interface that is not there is said now.
    news, supervisor = asyncio.Event(), Supervisor()
    showing = Showing(config.state_directory / STATUS, config.textfile, supervisor.status)
    remarks = Remarks(laid.remarks, lambda: open_secrets(config))
    driver = Driver(
        settings=Settings(
            config.name,
            config.policy,
            is_vantage=is_vantage,
            local_failover=config.local_failover,
            active_interval=config.active_probe_interval,
            standby_interval=config.standby_probe_interval,
            failback_after=config.failback_after,
            failback_spread=config.failback_spread,
        ),
        interface=interface,
        documents=documents,
        prober=laid.prober,
        packets=laid.packets,
        clock=time.monotonic,
        changed=lambda _state: news.set(),
    )
    async with _http(config, interface, addresses) as http:
        feed = _followed(config, http, marked_backend(lambda: interface.mark, addresses))
        names.changed = driver.again
        driver.start(documents.last_good())
        supervisor.ready()

        def show() -> None:
            showing.show(_status(feed, driver, config.role, remarks()))

        feed.changed = show
        show()  # What an earlier run left there was so then.
        tasks = [
            asyncio.create_task(_follow(feed, driver)),
            asyncio.create_task(_report(show, feed, driver, http, news, role=config.role)),
            asyncio.create_task(laid.beside(news.set)),
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
            laid.close()
            say(log, "stopped", interface=config.interface)


def _followed(config: Config, http: httpx.AsyncClient, backend: MarkedBackend) -> Followed:
    feed = Feed(
        http, config.receivers, lambda: read_secret(config.token_file), poll_interval=config.poll_interval
    )
    if config.mqtt is None:
        return feed
    try:
        from client_sync.subscribing import Subscription  # noqa: PLC0415 - Some MiB, for those who follow a broker.
    except ModuleNotFoundError as missing:
        raise ConfigurationError(
            f"mqtt: the package {missing.name} is not installed here: "
            "`pip install --require-hashes -r requirements/sync.txt`"
        ) from None
    topic = config.mqtt.topic or f"wgfleet/{config.fleet}/peer-set"
    return BrokerFirst(Subscription(config.mqtt, topic, backend), feed, http, config.receivers)


async def _follow(feed: Followed, driver: Driver) -> None:
    async for document in feed.documents():
        driver.document(document)


def _status(feed: Followed, driver: Driver, role: Role, remarks: Sequence[str] = ()) -> dict[str, object]:
    left, now = driver.connections_left, time.monotonic()
    said = describe(
        driver.state, feed.receiver, feed.way, left, trouble=feed.trouble, remarks=remarks, now=now
    )
    return {"role": role, **said}


async def _report(
    show: Callable[[], None],
    feed: Followed,
    driver: Driver,
    http: httpx.AsyncClient,
    news: asyncio.Event,
    *,
    role: Role = Role.CLIENT,
) -> None:
    """Tell the receiver, and whoever asks on this machine, what is applied and seen.

    The receiver counts who acks: a vantage, which is no client, does not.
    """
    acked_at, acked_left = -ACK_SECONDS, driver.connections_left
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STATUS_SECONDS):
                await news.wait()
        told = news.is_set()
        news.clear()
        state, left, now = driver.state, driver.connections_left, time.monotonic()
        show()
        if role is Role.VANTAGE or feed.acks_to is None or state.peer_set is None:
            continue
        if not told and left == acked_left and now - acked_at < ACK_SECONDS:
            continue
        acked_at, acked_left = now, left
        epoch, generation = state.peer_set.number
        ack = {
            "fleet": state.peer_set.fleet,
            "epoch": epoch,
            "generation": generation,
            "active": state.active,
            "sees": seen(state),
            "draining": left,
        }
        try:
            answer = await http.post(
                f"{feed.acks_to}/v1/acks", json=ack, headers=feed.headers(), timeout=10.0
            )
            taken(answer)
        except (httpx.HTTPError, ValueError) as error:
            say(log, "ack not taken", level=logging.WARNING, error=str(error) or type(error).__name__)


@contextlib.asynccontextmanager
async def _http(
    config: Config, interface: Layout, addresses: AddressBook
) -> AsyncIterator[httpx.AsyncClient]:
    proxy = Proxy.by(config.proxy, config.proxy_credentials_file)
    async with marked_client(config.ca_file, lambda: interface.mark, addresses, proxy) as http:
        yield http
