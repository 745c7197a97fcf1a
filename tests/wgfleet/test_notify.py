"""Tests of wgfleet/notify.py, against a real datagram socket."""

import asyncio
import contextlib
import logging
import os
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from wgfleet.notify import Supervisor

SECONDS = 20.0
"""Whatever a test waits for has come long before, or never comes."""


@contextlib.contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    """As systemd listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address)
        systemd.settimeout(SECONDS)
        yield systemd


def test_what_is_told_arrives_line_by_line_at_the_socket_of_the_environment(tmp_path: Path) -> None:
    """Each as sd_notify(3) has it; a status is one line, whatever it was made from."""
    address = str(tmp_path / "notify")
    with listening(address) as systemd:
        supervisor = Supervisor({"NOTIFY_SOCKET": address})
        supervisor.ready()
        supervisor.status("fra1 active;\n peer set 1.7")
        supervisor.extend(140.5)
        supervisor.stopping()

        assert [systemd.recv(100) for _ in range(4)] == [
            b"READY=1",
            b"STATUS=fra1 active; peer set 1.7",
            b"EXTEND_TIMEOUT_USEC=140500000",
            b"STOPPING=1",
        ]


def test_an_abstract_socket_is_found_too() -> None:
    """Its name begins with @ in the environment, and with a zero byte where it is."""
    name = f"wgfleet-{uuid.uuid4()}"
    with listening(f"\0{name}") as systemd:
        Supervisor({"NOTIFY_SOCKET": f"@{name}"}).ready()

        assert systemd.recv(100) == b"READY=1"


def test_without_a_supervisor_nothing_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever runs it in a terminal sees no complaint."""
    Supervisor({}).ready()

    assert caplog.records == []


def test_a_supervisor_that_is_gone_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is said, and the daemon goes on."""
    Supervisor({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).ready()

    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.WARNING, "supervisor not told")


def test_signs_of_life_come_as_long_as_the_loop_runs(tmp_path: Path) -> None:
    """At half of what the supervisor bears, again and again."""
    address = str(tmp_path / "notify")

    async def story(systemd: socket.socket) -> list[bytes]:
        supervisor = Supervisor({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "20000"})
        assert supervisor.watchdog_seconds == 0.02
        feeding = asyncio.create_task(supervisor.feed())
        systemd.setblocking(False)
        async with asyncio.timeout(SECONDS):
            heard = [await asyncio.get_running_loop().sock_recv(systemd, 100) for _ in range(3)]
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
        return heard

    with listening(address) as systemd:
        assert asyncio.run(story(systemd)) == [b"WATCHDOG=1"] * 3


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"},
    ],
)
def test_without_a_watchdog_of_ours_none_is_fed(tmp_path: Path, environment: dict[str, str]) -> None:
    """None, one that is off, one that cannot be read, or our parent's."""
    supervisor = Supervisor({"NOTIFY_SOCKET": str(tmp_path / "notify"), **environment})

    asyncio.run(asyncio.wait_for(supervisor.feed(), SECONDS))

    assert supervisor.watchdog_seconds is None


def test_a_watchdog_may_name_us() -> None:
    """As systemd does."""
    of_us = {"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}

    assert Supervisor(of_us).watchdog_seconds == 60
