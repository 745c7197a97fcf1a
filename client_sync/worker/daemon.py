"""Wires the worker's daemon and runs it until it is told to stop, and has left if it shall. The interface stays as it is then."""

import asyncio
import contextlib
import json
import logging
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx

from client_sync.addresses import BOOK, AddressBook
from client_sync.cache import ClientLists, Documents, ManagedPeers
from client_sync.config import Config
from client_sync.control import Proxy, marked_client
from client_sync.feed import Feed
from client_sync.polling import taken
from client_sync.remarks import Remarks, open_secrets
from client_sync.report import STATUS
from client_sync.worker.around import Around, Kernel
from client_sync.worker.driver import Worker
from client_sync.worker.hooking import ClientHook
from client_sync.worker.leaving import OwnDrain, Stop
from client_sync.worker.published import Published
from client_sync.worker.shared import Division, TwoTunnels, around_both
from client_sync.worker.silence import Silence
from client_sync.worker.status import ack, describe, headline
from client_sync.worker.tunnel import Peers, Tunnel, Wireguard
from wgfleet.clientlist import ClientList
from wgfleet.files import read_secret, write_whole
from wgfleet.logs import say
from wgfleet.notify import Supervisor
from wgfleet.signing import Verifier

log = logging.getLogger(__name__)

ACK_SECONDS = 60.0
"""Between acks when nothing changes."""
LOOK_SECONDS = 10.0
"""Between looks at the interface: somebody may have brought it up anew."""
STOP_SECONDS = 20.0
"""Beside the time that clients have to leave: to ask for it, and to end."""
RETRY_SECONDS = 2.0
"""After the device refused a change, or an ack was not taken."""
MOST_BYTES = 64 * 1024 * 1024
"""A document larger than this is no client list: that would be more than 300,000 clients."""


async def run(config: Config) -> None:
    """Follow the receiver and keep the interface's peers as its list says; returns after SIGTERM or Ctrl-C.

    With `drain_on_stop`, SIGTERM has clients leave first, and another one ends that; Ctrl-C ends at once.
    """
    stop = Stop(drains=config.drain_on_stop)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.terminate)
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.now.set)
    read_secret(config.token_file)  # A missing token is said now, and not with every connection.
    tasks = [asyncio.create_task(serve(config, stop=stop)), asyncio.create_task(stop.now.wait())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # One that died of a bug takes the daemon along, and systemd starts it again.
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        say(log, "stopped", interface=config.interface)


async def serve(
    config: Config,
    *,
    wireguard: Wireguard | None = None,
    kernel: Kernel | None = None,
    stop: Stop | None = None,
) -> None:
    """Likewise, until it is cancelled; whoever gives a `stop` cancels it once that says so."""
    division = Division(config.shared_networks)
    tunnel = tunnel_of(config, division, wireguard or Wireguard())
    tunnel.look()  # An interface that is not there is said now.
    around = around_of(config, division, kernel or Kernel())
    news, there, supervisor = asyncio.Event(), asyncio.Event(), Supervisor()
    stop = stop or Stop(drains=config.drain_on_stop)
    lists = ClientLists(config.state_directory, Verifier(config.trusted_keys), config.fleet)
    documents = Documents(config.state_directory, Verifier(config.trusted_keys), config.fleet)
    published = Published(documents, config.name, config.state_directory / STATUS)
    addresses = AddressBook(config.state_directory / BOOK)
    proxy = Proxy.by(config.proxy, config.proxy_credentials_file)
    async with marked_client(config.ca_file, lambda: tunnel.mark, addresses, proxy) as http:
        feed, places = feed_of(config, http, "client-list"), feed_of(config, http, "places")
        peer_sets = feed_of(config, http, "peer-set")
        hook = hook_of(config, places, news.set)

        def changed() -> None:
            if hook is not None and worker.held is not None and worker.applied == worker.held.number:
                hook.listed(worker.held)
            if worker.applied is not None:
                there.set()
            news.set()

        worker = Worker(lists, tunnel, around=around, changed=changed)
        remarks = Remarks(lambda: open_secrets(config))

        def show() -> None:
            status = describe(
                worker,
                feed.receiver,
                hook.status() if hook is not None else None,
                published.status(),
                trouble=feed.trouble,
                remarks=remarks(),
            )
            write_status(config.state_directory / STATUS, status, supervisor.status)

        feed.changed = show
        await worker.start()
        supervisor.ready()
        news.set()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(supervisor.feed())  # Ends at once where there is no watchdog.
                tasks.create_task(follow(feed, worker))
                tasks.create_task(follow_published(peer_sets, published, news.set))
                tasks.create_task(keep_looking(worker))
                tasks.create_task(report(show, feed, worker, http, news, fleet=config.fleet))
                own = OwnDrain(
                    http, config.fleet, lambda: in_turn(config.receivers, feed.receiver), feed.headers
                )
                coming = tasks.create_task(come(own, there))
                tasks.create_task(leave(config, own, stop, coming, supervisor))
                if hook is not None:
                    tasks.create_task(follow_places(places, hook))
                    tasks.create_task(hook.run())
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            supervisor.stopping()


def tunnel_of(config: Config, division: Division, wireguard: Wireguard) -> Peers:
    """The interface, or both."""
    own = Tunnel(config.interface, ManagedPeers(config.state_directory), wireguard)
    if config.shared_interface is None:
        return own
    directory = config.state_directory / "shared"
    directory.mkdir(exist_ok=True, mode=0o700)
    return TwoTunnels(own, Tunnel(config.shared_interface, ManagedPeers(directory), wireguard), division)


def around_of(config: Config, division: Division, kernel: Kernel) -> Callable[[ClientList], None]:
    """What is made around it, begun. Raises LayoutError."""
    own = Around(
        config.interface,
        manage_routes=config.manage_routes,
        forwarding=config.forwarding,
        masquerade=config.masquerade,
        kernel=kernel,
        also=division.networks,
    )
    own.begin()
    silence = Silence(config.shared_interface, kernel)
    silence.begin()
    if config.shared_interface is None:
        return own
    shared = Around(
        config.shared_interface,
        manage_routes=config.manage_routes,
        forwarding=False,
        masquerade=(),
        kernel=kernel,
    )
    return around_both(own, shared, silence, division)


def feed_of(config: Config, http: httpx.AsyncClient, document: str) -> Feed:
    """What the receivers publish under that name."""
    return Feed(
        http,
        config.receivers,
        lambda: read_secret(config.token_file),
        document=document,
        most_bytes=MOST_BYTES,
        poll_interval=config.poll_interval,
    )


def hook_of(config: Config, places: Feed, changed: Callable[[], None]) -> ClientHook | None:
    """The hook, if there is one. Raises ValueError."""
    if config.client_hook is None:
        return None
    return ClientHook(
        config.client_hook,
        worker=config.name,
        interface=config.interface,
        directory=config.state_directory,
        followed=lambda: places.receiver is not None,
        changed=changed,
    )


def in_turn(receivers: Sequence[str], followed: str | None) -> list[str]:
    """All of them, the one that is followed first."""
    return sorted(receivers, key=lambda url: url != followed)


async def come(own: OwnDrain, there: asyncio.Event) -> None:
    """Once our peers are there, clients may come again, if it was us who sent them away."""
    await there.wait()
    await own.lift()


async def leave(
    config: Config, own: OwnDrain, stop: Stop, coming: asyncio.Task[None], supervisor: Supervisor
) -> None:
    """Told to leave, have clients leave, and then end. All else goes on meanwhile."""
    await stop.leave.wait()
    coming.cancel()
    supervisor.extend(config.drain_timeout + STOP_SECONDS)
    await own.leave(config.drain_timeout, supervisor.status)
    stop.now.set()


async def follow_places(places: Feed, hook: ClientHook) -> None:
    """Take every word of where clients are."""
    async for message in places.documents():
        hook.heard(message)


async def follow_published(feed: Feed, published: Published, changed: Callable[[], None]) -> None:
    """Take every peer set, for what it says of this worker."""
    async for document in feed.documents():
        if await asyncio.to_thread(published.document, document):
            changed()


async def follow(feed: Feed, worker: Worker) -> None:
    """Take every document that comes. While one is applied, the receiver keeps the newest of the others for us."""
    async for document in feed.documents():
        await worker.document(document)


async def keep_looking(worker: Worker) -> None:
    """Look at the interface again and again, sooner if it is not as it should be."""
    while True:
        await asyncio.sleep(LOOK_SECONDS if worker.error is None else RETRY_SECONDS)
        await worker.look()


def write_status(file: Path, status: dict[str, Any], tell: Callable[[str], None]) -> None:
    """Tell whoever asks on this machine; `tell` takes a line for people."""
    tell(headline(status))
    try:
        write_whole(file, json.dumps(status).encode())
    except OSError as error:  # A full disk, say: no reason to tell nobody.
        say(log, "status not written", level=logging.ERROR, error=error)


async def report(
    show: Callable[[], None],
    feed: Feed,
    worker: Worker,
    http: httpx.AsyncClient,
    news: asyncio.Event,
    *,
    fleet: str,
) -> None:
    """Tell the receiver, and whoever asks on this machine, what is applied."""
    wait = ACK_SECONDS
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await news.wait()
        news.clear()
        wait = ACK_SECONDS
        show()
        if feed.receiver is None:
            continue
        try:
            answer = await http.post(
                f"{feed.receiver}/v1/acks",
                json={"fleet": fleet, **ack(worker)},
                headers=feed.headers(),
                timeout=10.0,
            )
            taken(answer)
        except (httpx.HTTPError, ValueError) as error:
            say(log, "ack not taken", level=logging.WARNING, error=str(error) or type(error).__name__)
            wait = RETRY_SECONDS
