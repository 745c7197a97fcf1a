"""What several tests of the daemon's parts start from."""

import asyncio
import logging
from pathlib import Path

import pytest

from client_sync import driver
from client_sync.addresses import AddressBook
from client_sync.state import Settings
from tests.client_sync.commanding import Command, command_of, configured_in
from tests.client_sync.device import FakeDevice
from tests.client_sync.scene import CLIENT, Play, Played, Scene


@pytest.fixture
def played(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Played:
    """Plays a test on an event loop of its own; all that is logged can be looked at afterwards."""
    caplog.set_level(logging.INFO)

    def play_it(
        play: Play,
        *,
        fake: FakeDevice | None = None,
        directory: Path | None = None,
        active_interval: float = 1.0,
        standby_interval: float = 5.0,
    ) -> None:
        async def run() -> None:
            settings = Settings(CLIENT, active_interval=active_interval, standby_interval=standby_interval)
            scene = Scene(directory or tmp_path, fake or FakeDevice(), settings)
            try:
                await play(scene)
            finally:
                scene.driver.close()

        asyncio.run(run())

    return play_it


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is tried again almost at once: the real wait would make these tests as slow."""
    monkeypatch.setattr(driver, "RETRY_SECONDS", 0.02)


@pytest.fixture
def book(tmp_path: Path) -> AddressBook:
    """A book in which nothing is written yet."""
    return AddressBook(tmp_path / "addresses.json")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `wgfleet-sync`."""
    return command_of(monkeypatch, capsys)


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """A good configuration for an interface that is not there."""
    return configured_in(tmp_path)
