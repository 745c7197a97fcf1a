"""Tests of client_sync/worker/daemon.py: the whole of it on loopback, but for the interface, which is in memory."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from client_sync.config import Config, Role
from client_sync.worker import daemon
from client_sync.worker.around import Kernel
from client_sync.worker.daemon import in_turn, serve
from client_sync.worker.leaving import Stop
from tests.client_sync.receiver import STREAM, FakeReceiver, Request, answer, event
from tests.client_sync.samples import FLEET, peer_set, public_key, worker
from tests.client_sync.worker.samples import FakeInterface, client_list, many, signed
from tests.client_sync.worker.test_around import FakeKernel
from wgfleet.clientlist import ClientList
from wgfleet.peerset import PeerSet, WorkerState
from wgfleet.signing import Signer
from wgfleet.wg import WgError

SIGNER = Signer.generate()
SECONDS = 20.0


class Receiver:
    """Sends lists as they are put, and takes acks."""

    def __init__(self) -> None:
        self.lists = asyncio.Queue[ClientList | None]()
        self.acks: asyncio.Queue[object] = asyncio.Queue()
        self.peer_sets = asyncio.Queue[PeerSet | None]()
        self.status = "204 No Content"
        self.streams: list[Request] = []
        self.followed = asyncio.Event()
        self.drains: asyncio.Queue[str] = asyncio.Queue()
        """What was asked of its own drain."""
        self.using = 1
        """Clients that still use it."""

    async def __call__(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Answer."""
        if request.line.startswith("POST /v1/acks"):
            writer.write(answer(self.status))
            self.acks.put_nowait(json.loads(request.body))
            return
        if " /v1/self/" in request.line:
            self.drains.put_nowait(request.line.split()[0])
            counts = dict.fromkeys(("behind", "connections", "uncounted", "sure_in"), 0)
            said = {"epoch": 1, "generation": 7, "using": self.using, **counts}
            writer.write(answer("200 OK", json.dumps(said).encode()))
            return
        if request.line.startswith("GET /v1/peer-set"):
            writer.write(STREAM)
            while (published := await self.peer_sets.get()) is not None:
                writer.write(event(SIGNER.sign(published.to_bytes())))
                await writer.drain()
            raise ConnectionError
        self.streams.append(request)
        self.followed.set()
        writer.write(STREAM)
        while (clients := await self.lists.get()) is not None:
            writer.write(event(signed(SIGNER, clients), "client-list"))
            await writer.drain()
        raise ConnectionError  # The end of the stream.


def config(directory: Path, url: str) -> Config:
    """A worker's."""
    (directory / "token").write_text("secret\n")
    return Config(
        fleet=FLEET,
        name="fra1",
        interface="wg0",
        receivers=(url,),
        token_file=directory / "token",
        trusted_keys=(SIGNER.public_text,),
        state_directory=directory,
        role=Role.WORKER,
    )


@contextlib.asynccontextmanager
async def serving(
    directory: Path, fake: FakeInterface, receiver: Receiver, stop: Stop | None = None
) -> AsyncIterator[None]:
    """The daemon follows that receiver."""
    async with FakeReceiver(receiver) as there, asyncio.timeout(SECONDS):
        kernel = Kernel(FakeKernel().run, directory)
        task = asyncio.create_task(
            serve(config(directory, there.url), wireguard=fake.door, kernel=kernel, stop=stop)
        )
        try:
            yield
        finally:
            task.cancel()
            receiver.lists.put_nowait(None)
            receiver.peer_sets.put_nowait(None)
            with pytest.raises(asyncio.CancelledError):
                await task


async def told(receiver: Receiver, generation: int) -> None:
    """Wait until the receiver is told that this list is applied."""
    said = {"fleet": FLEET, "client_list": {"epoch": 1, "generation": generation}}
    while await receiver.acks.get() != said:
        pass


def test_lists_are_followed_applied_and_told(tmp_path: Path) -> None:
    """At the stream of client lists, with the token; each as soon as it is applied."""

    async def story() -> None:
        fake, receiver = FakeInterface(), Receiver()
        receiver.lists.put_nowait(many(1))
        async with serving(tmp_path, fake, receiver):
            await told(receiver, 1)
            receiver.lists.put_nowait(many(2, generation=2))
            await told(receiver, 2)
            assert fake.keys == {public_key(1), public_key(2)}
            assert receiver.streams[0].line == "GET /v1/client-list/events HTTP/1.1"
            assert receiver.streams[0].headers["authorization"] == "Bearer secret"
            status = json.loads((tmp_path / "status.json").read_text())
            assert (status["role"], status["generation"], status["clients"]) == ("worker", 2, 2)

    asyncio.run(story())


def test_what_the_peer_set_says_of_the_worker_is_told_on_this_machine(tmp_path: Path) -> None:
    """At once when it comes, for who announces the worker's address."""

    async def story() -> None:
        receiver = Receiver()
        receiver.lists.put_nowait(many(1))
        for number, state in enumerate((WorkerState.SERVING, WorkerState.DRAINING), 1):
            receiver.peer_sets.put_nowait(
                peer_set(worker(1, state, name="fra1"), worker(2), generation=number)
            )
        async with serving(tmp_path, FakeInterface(), receiver):
            await told(receiver, 1)
            file = tmp_path / "status.json"
            while (json.loads(file.read_text())["published"] or {}).get("generation") != 2:
                await receiver.acks.get()  # Told after the file was written.
            published = json.loads(file.read_text())["published"]
            assert (published["state"], published["attracts"]) == ("draining", False)

    asyncio.run(story())


def test_a_supervisor_is_told_as_the_unit_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ready first, or systemd kills it for never being so; then signs of life, what is applied, and the end."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    heard: list[str] = []

    async def story(systemd: socket.socket) -> None:
        receiver = Receiver()
        receiver.lists.put_nowait(many(2))
        async with serving(tmp_path, FakeInterface(), receiver):
            while heard.count("WATCHDOG=1") < 3 or not any(
                "1.1, 2 clients, from http" in one for one in heard
            ):
                heard.append((await asyncio.get_running_loop().sock_recv(systemd, 1000)).decode())
        while heard[-1] != "STOPPING=1":
            heard.append(systemd.recv(1000).decode())

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        asyncio.run(story(systemd))
    assert heard[0] == "READY=1"


def test_an_own_drain_is_lifted_once_the_peers_are_there(tmp_path: Path) -> None:
    """And not before: a client that comes would find no peer of its own."""

    async def story() -> None:
        fake, receiver = FakeInterface(), Receiver()
        async with serving(tmp_path, fake, receiver):
            await receiver.followed.wait()
            assert receiver.drains.empty()
            receiver.lists.put_nowait(many(2))
            assert await receiver.drains.get() == "DELETE"
            assert fake.keys == {public_key(1), public_key(2)}

    asyncio.run(story())


def test_told_to_leave_it_is_drained_and_serves_on_until_it_is_empty(tmp_path: Path) -> None:
    """Clients that have not left yet are served as ever: lists are followed. Then nothing is left but to end."""

    async def story() -> None:
        fake, receiver, stop = FakeInterface(), Receiver(), Stop(drains=True)
        receiver.lists.put_nowait(many(1))
        async with serving(tmp_path, fake, receiver, stop):
            assert await receiver.drains.get() == "DELETE"
            stop.terminate()
            assert [await receiver.drains.get() for _ in range(2)] == ["PUT", "GET"]
            receiver.lists.put_nowait(many(2, generation=2))
            await told(receiver, 2)
            assert not stop.now.is_set()
            receiver.using = 0
            await stop.now.wait()

    asyncio.run(story())


def test_a_supervisor_is_asked_for_the_time_that_leaving_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before its own is over, and for as long as sync.toml says, and a little more; then it is told who is waited for."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    heard: list[str] = []

    async def story(systemd: socket.socket) -> None:
        receiver, stop = Receiver(), Stop(drains=True)
        async with serving(tmp_path, FakeInterface(), receiver, stop):
            stop.terminate()
            while not heard or heard[-1] != "STATUS=stops once it is empty: 1 client":
                heard.append((await asyncio.get_running_loop().sock_recv(systemd, 1000)).decode())

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        asyncio.run(story(systemd))
    assert "EXTEND_TIMEOUT_USEC=140000000" in heard


def test_the_receiver_that_is_followed_is_asked_first() -> None:
    """And the others after it, in the order in which they are written."""
    assert in_turn(["a", "b", "c"], "c") == ["c", "a", "b"]
    assert in_turn(["a", "b"], None) == ["a", "b"]


def test_of_a_list_that_is_refused_the_receiver_is_told_the_old_number(tmp_path: Path) -> None:
    """So `revoke --wait` does not end too early."""

    async def story() -> None:
        fake, receiver = FakeInterface(), Receiver()
        receiver.lists.put_nowait(many(20))
        async with serving(tmp_path, fake, receiver):
            await told(receiver, 1)
            receiver.lists.put_nowait(client_list(generation=2))
            await told(receiver, 1)
            assert len(fake.keys) == 20

    asyncio.run(story())


def test_an_ack_that_is_not_taken_is_sent_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Soon, and not after a minute: somebody may wait for it."""
    monkeypatch.setattr(daemon, "RETRY_SECONDS", 0.01)

    async def story() -> None:
        receiver = Receiver()
        receiver.status = "503 Service Unavailable"
        receiver.lists.put_nowait(many(1))
        async with serving(tmp_path, FakeInterface(), receiver):
            for _ in range(3):
                await told(receiver, 1)

    asyncio.run(story())


def test_the_interface_is_looked_at_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who brings it up anew need not restart the daemon."""
    monkeypatch.setattr(daemon, "LOOK_SECONDS", 0.01)

    async def story() -> None:
        fake, receiver = FakeInterface(), Receiver()
        receiver.lists.put_nowait(many(1))
        async with serving(tmp_path, fake, receiver):
            await told(receiver, 1)
            again = asyncio.Event()
            loop = asyncio.get_running_loop()
            fake.on_set = lambda: loop.call_soon_threadsafe(again.set)
            fake.device = FakeInterface().device
            await again.wait()

    asyncio.run(story())


def test_an_interface_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    """And not only when a list comes."""
    with pytest.raises(WgError, match="gone"):
        asyncio.run(
            serve(config(tmp_path, "http://127.0.0.1:1"), wireguard=FakeInterface(broken="gone").door)
        )
