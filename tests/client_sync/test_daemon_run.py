"""A whole run of the daemon: loopback stands for the tunnel and a script for `wg`; receiver, probes and signals are real."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from client_sync.cache import Documents
from tests.client_sync.receiver import STREAM, Acks, FakeReceiver, Request, answer, event
from tests.client_sync.samples import FLEET, peer_set, public_key, signed, worker
from wgfleet.signing import Signer, Verifier

SIGNER = Signer.generate()
SECONDS = 20.0
"""Whatever a test waits for has come long before, or never comes."""

TOKEN = "a-secret-of-the-test"
WG = """#!/bin/sh
[ "$1" = show ] && printf 'AAAA\\t{key}\\t51820\\toff\\n' && exit
echo "$*" >> {calls}
"""
WORKER = worker(1, tunnel_addresses=("127.0.0.1",), allowed_ips=("10.0.0.0/8",))


def installed(directory: Path, receiver: str) -> list[str]:
    """The command that starts the daemon, with all that it needs in this folder."""
    (directory / "wg").write_text(WG.format(key=public_key(99), calls=directory / "calls"))
    (directory / "wg").chmod(0o755)
    (directory / "token").write_text(f"{TOKEN}\n")
    (directory / "sync.toml").write_text(
        f'fleet = "{FLEET}"\nname = "laptop-9"\ninterface = "lo"\nreceivers = ["{receiver}"]\n'
        f'token_file = "token"\ntrusted_keys = ["{SIGNER.public_text}"]\nstate_directory = "state"\n'
        "manage_routes = false\n"
    )
    return [sys.executable, "-m", "client_sync", "run", "--config", str(directory / "sync.toml")]


@contextlib.asynccontextmanager
async def running(
    directory: Path, receiver: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[str]]]:
    """The daemon, and the lines that it has said so far."""
    environment = {**os.environ, "PATH": f"{directory}:{os.environ['PATH']}"}
    command = installed(directory, receiver)
    process = await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.PIPE)
    try:
        yield process, []
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def hear(process: asyncio.subprocess.Process, said: list[str], word: str) -> None:
    """Wait until the daemon says a line with this word."""
    assert process.stderr is not None
    while not (said and word in said[-1]):
        line = await process.stderr.readline()
        assert line, f"it ended without saying {word!r}:\n{''.join(said)}"
        said.append(line.decode())


async def stop(process: asyncio.subprocess.Process, said: list[str]) -> int:
    """Ask it to stop, as systemd does."""
    process.send_signal(signal.SIGTERM)
    await hear(process, said, "stopped")
    return await process.wait()


@pytest.mark.system
def test_a_whole_run_from_the_first_document_to_the_end(tmp_path: Path) -> None:
    """It follows the receiver, sets the peers, probes, moves, acknowledges, shows its status, and stops when told."""
    acks = Acks()

    async def serve(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.line.startswith("GET"):
            writer.write(STREAM + event(signed(SIGNER, peer_set(WORKER))))
        else:
            await acks(request, writer)

    async def story() -> list[str]:
        async with (
            asyncio.timeout(SECONDS),
            FakeReceiver(serve) as receiver,
            running(tmp_path, receiver.url) as (process, said),
        ):
            await hear(process, said, "moved")
            ack = json.loads((await acks.taken.get()).body)
            while ack["active"] is None:
                ack = json.loads((await acks.taken.get()).body)
            assert ack["sees"]["w1"].pop("rtt_ms") < 1000 * SECONDS
            assert ack == {
                "fleet": "example",
                "epoch": 1,
                "generation": 1,
                "active": "w1",
                "sees": {"w1": {"answers": True}},
                "draining": {},
            }
            status = json.loads((tmp_path / "state" / "status.json").read_text())
            assert (status["active"], status["receiver"], status["trouble"]) == ("w1", receiver.url, {})
            assert [remark.partition(" may be read by others")[0] for remark in status["remarks"]] == [
                str(tmp_path / "token")
            ]
            assert await stop(process, said) == 0
            return said

    said = asyncio.run(story())

    assert (tmp_path / "calls").read_text().splitlines()[-1] == (
        f"set lo peer {public_key(1)} endpoint 192.0.2.1:51820 persistent-keepalive 25 "
        "allowed-ips 127.0.0.1/32,10.0.0.0/8"
    )
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert TOKEN not in "".join(said)


@pytest.mark.system
def test_a_whole_run_under_a_supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says when it is ready, shows signs of life, what it does, and that it stops, as systemd(1) wants to hear it."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "20000")

    async def serve(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.line.startswith("GET"):
            writer.write(STREAM + event(signed(SIGNER, peer_set(WORKER))))
        else:
            writer.write(answer("204 No Content"))

    async def story(systemd: socket.socket) -> list[str]:
        heard: list[str] = []

        async def until(wanted: Callable[[], bool]) -> None:
            while not wanted():
                heard.append((await asyncio.get_running_loop().sock_recv(systemd, 1000)).decode())

        async with (
            asyncio.timeout(SECONDS),
            FakeReceiver(serve) as receiver,
            running(tmp_path, receiver.url) as (process, said),
        ):
            line = f"STATUS=w1 active; peer set 1.1, from {receiver.url}"
            await until(lambda: line in heard and heard.count("WATCHDOG=1") > 3)
            assert await stop(process, said) == 0
            await until(lambda: heard[-1] == "STOPPING=1")
        return [word.replace(receiver.url, "URL") for word in heard if word != "WATCHDOG=1"]

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        said = asyncio.run(story(systemd))
    nothing = "STATUS=no worker active; no peer set yet"
    assert said[:3] == ["READY=1", f"{nothing}, no receiver reached", f"{nothing}, from URL"]


@pytest.mark.system
def test_a_whole_run_without_a_receiver(tmp_path: Path) -> None:
    """The document of an earlier run is all that it needs: the machine was rebooted, and monitoring is gone."""
    (tmp_path / "state").mkdir()
    documents = Documents(tmp_path / "state", Verifier([SIGNER.public_text]), FLEET)
    documents.take(signed(SIGNER, peer_set(WORKER)))
    documents.keep()

    async def story() -> int:
        async with (
            asyncio.timeout(SECONDS),
            running(tmp_path, "http://127.0.0.1:9") as (process, said),
        ):
            await hear(process, said, "moved")
            return await stop(process, said)

    assert asyncio.run(story()) == 0
    assert "allowed-ips 127.0.0.1/32,10.0.0.0/8" in (tmp_path / "calls").read_text()
