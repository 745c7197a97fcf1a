"""Tests of client_sync/daemon.py: what it tells, whom it trusts, and a whole run of it on loopback."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from client_sync.addresses import AddressBook
from client_sync.cache import Documents, ManagedPeers
from client_sync.config import Config, Role
from client_sync.daemon import _http, _report, _status
from client_sync.driver import Driver
from client_sync.feed import Feed
from client_sync.interface import Interface
from client_sync.report import STATUS, describe
from client_sync.showing import Showing
from client_sync.state import Settings, State
from tests.client_sync.certificates import Authority
from tests.client_sync.device import FakeDevice
from tests.client_sync.receiver import Acks, FakeReceiver, Request, answer
from tests.client_sync.samples import FLEET, peer_set, worker
from wgfleet.signing import Signer, Verifier

SIGNER = Signer.generate()
SECONDS = 20.0
"""Whatever a test waits for has come long before, or never comes."""


# Acks.


def configuration(directory: Path, **other: object) -> Config:
    """A configuration whose files are all in one folder."""
    values: dict[str, object] = {
        "fleet": FLEET,
        "name": "laptop-9",
        "interface": "wg0",
        "receivers": ("https://monitoring.example.com:9587",),
        "token_file": directory / "token",
        "trusted_keys": (SIGNER.public_text,),
        "state_directory": directory,
        **other,
    }
    return Config(**values)  # type: ignore[arg-type] # Each is what its field wants.


class Silent:
    """Workers that never answer."""

    def ask(self, address: str, heard: Callable[[], None]) -> bool:
        del address, heard
        return False


def driver_of(directory: Path, state: State) -> Driver:
    """A driver that is in this state, and does nothing."""
    interface = Interface(
        "wg0", ManagedPeers(directory), lambda *_: (), manage_routes=False, wireguard=FakeDevice().door
    )
    made = Driver(
        settings=Settings("laptop-9"),
        interface=interface,
        documents=Documents(directory, Verifier([SIGNER.public_text]), FLEET),
        prober=Silent(),
        packets=lambda: None,
        clock=time.monotonic,
        changed=lambda _state: None,
    )
    made.state = state
    return made


STATE = State(peer_set(worker(1), generation=7), active="w1")


class News(asyncio.Event):
    """Says that there is news, and when they were taken up."""

    def __init__(self) -> None:
        super().__init__()
        self.taken_up = asyncio.Event()

    def clear(self) -> None:
        super().clear()
        self.taken_up.set()


@contextlib.asynccontextmanager
async def reporting(
    config: Config, state: State, receiver: str | None, role: Role = Role.CLIENT
) -> AsyncIterator[News]:
    """The part of the daemon that tells."""
    news = News()
    async with httpx.AsyncClient(trust_env=False) as http:
        feed = Feed(http, (), lambda: "secret")
        feed.receiver = receiver
        driver = driver_of(config.state_directory, state)
        showing = Showing(config.state_directory / STATUS, config.textfile, lambda _line: None)
        task = asyncio.create_task(
            _report(lambda: showing.show(_status(feed, driver, role)), feed, driver, http, news, role=role)
        )
        try:
            async with asyncio.timeout(SECONDS):
                yield news
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):  # And not of something else, before.
                await task


def test_news_are_acknowledged_and_shown(tmp_path: Path) -> None:
    """To the receiver that is followed, with the token; and in a file for whoever asks on this machine."""

    async def story() -> None:
        acks = Acks()
        async with (
            FakeReceiver(acks) as receiver,
            reporting(configuration(tmp_path), STATE, receiver.url) as news,
        ):
            news.set()
            ack = await acks.taken.get()
            assert ack.line == "POST /v1/acks HTTP/1.1"
            assert ack.headers["authorization"] == "Bearer secret"
            number = {"epoch": 1, "generation": 7}
            said = {"fleet": FLEET, **number, "active": "w1", "sees": {}, "draining": {}}
            assert json.loads(ack.body) == said
            status = json.loads((tmp_path / "status.json").read_text())
            assert status == {"role": "client", **describe(STATE, receiver.url, now=0.0)}

    asyncio.run(story())


def test_a_vantage_shows_what_it_sees_and_acknowledges_nothing(tmp_path: Path) -> None:
    """The receiver counts whoever acks as a client."""

    async def story() -> None:
        acks = Acks()
        async with (
            FakeReceiver(acks) as receiver,
            reporting(configuration(tmp_path), STATE, receiver.url, Role.VANTAGE) as news,
        ):
            for _ in range(2):  # The second is taken up once all is done that the first is a reason for.
                news.taken_up.clear()
                news.set()
                await news.taken_up.wait()
            assert json.loads((tmp_path / "status.json").read_text())["role"] == "vantage"
        assert acks.taken.empty()

    asyncio.run(story())


def test_an_ack_that_is_refused_is_said_and_the_next_one_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The receiver is busy; the daemon goes on."""

    async def story() -> None:
        acks = Acks("503 Service Unavailable")
        async with (
            FakeReceiver(acks) as receiver,
            reporting(configuration(tmp_path), STATE, receiver.url) as news,
        ):
            for _ in range(2):
                news.set()
                await acks.taken.get()

    asyncio.run(story())
    assert "ack not taken" in [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("state", [State(), STATE], ids=["nothing to tell", "nobody to tell"])
def test_without_a_document_or_a_receiver_only_the_file_is_written(
    tmp_path: Path, state: State, caplog: pytest.LogCaptureFixture
) -> None:
    """An ack says what is applied, to a receiver that is there."""

    async def story() -> None:
        acks = Acks()
        async with FakeReceiver(acks) as receiver:
            followed = None if state is STATE else receiver.url
            async with reporting(configuration(tmp_path), state, followed) as news:
                news.set()
                await news.taken_up.wait()
        assert receiver.requests == []

    asyncio.run(story())
    assert json.loads((tmp_path / "status.json").read_text())["active"] == state.active
    assert caplog.records == []


def test_a_status_that_cannot_be_written_is_said_and_the_ack_is_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The disk is full; the daemon goes on."""

    async def story() -> None:
        acks = Acks()
        config = configuration(tmp_path, state_directory=tmp_path / "gone")
        async with FakeReceiver(acks) as receiver, reporting(config, STATE, receiver.url) as news:
            for _ in range(2):
                news.set()
                await acks.taken.get()

    asyncio.run(story())
    assert [record.getMessage() for record in caplog.records] == ["status not written"] * 2


# Whom it trusts, and where names lead.


def asked(config: Config, receiver: FakeReceiver) -> str:
    """What the daemon's own client is answered there."""

    async def story() -> str:
        book = AddressBook(config.state_directory / "addresses.json")
        book.remember("monitoring.example.com", ["127.0.0.1"])
        interface = Interface(
            "wg0",
            ManagedPeers(config.state_directory),
            lambda *_: (),
            manage_routes=False,
            wireguard=FakeDevice().door,
        )
        async with receiver, _http(config, interface, book) as http:
            return (await http.get(f"https://monitoring.example.com:{receiver.port}/")).text

    return asyncio.run(story())


async def yes(_request: Request, writer: asyncio.StreamWriter) -> None:
    """Says yes to everything."""
    writer.write(answer("200 OK", b"yes"))


def test_only_the_authority_in_the_configuration_is_trusted(tmp_path: Path) -> None:
    """A receiver of another one is not talked to."""
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    config = configuration(tmp_path, ca_file=ours.file)

    assert asked(config, FakeReceiver(yes, tls=ours.server("monitoring.example.com"))) == "yes"
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        asked(config, FakeReceiver(yes, tls=theirs.server("monitoring.example.com")))


def test_without_one_the_systems_authorities_are_trusted_and_not_just_any(tmp_path: Path) -> None:
    """A certificate that somebody made at home is refused."""
    somebody = Authority(tmp_path, "somebody")

    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        asked(configuration(tmp_path), FakeReceiver(yes, tls=somebody.server("monitoring.example.com")))


def test_a_proxy_in_the_environment_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be asked without the mark, and may be behind the worker that died."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    ours = Authority(tmp_path, "ours")
    config = configuration(tmp_path, ca_file=ours.file)

    assert asked(config, FakeReceiver(yes, tls=ours.server("monitoring.example.com"))) == "yes"
