"""Workers that do not masquerade: the return route follows the client by the hook, and its TCP connection survives a drain."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.addresses import SERVICE
from tests.lab.fleet import Fleet, Profile
from tests.lab.machines import Client, Worker
from tests.lab.perworker import PerWorkerClient
from tests.lab.process import Process
from tests.lab.waiting import wait_until
from wgfleet.files import write_whole

pytestmark = pytest.mark.system
LIMIT = 30.0
PORT = 7007

ECHO = f"""
import socket
with socket.create_server(("{SERVICE}", {PORT})) as door:
    print("listening", flush=True)
    line, _ = door.accept()
    while said := line.recv(1000):
        line.sendall(said)
"""
TALK = f"""
import socket, time
with socket.create_connection(("{SERVICE}", {PORT}), timeout=20) as line:
    for number in range(100000):
        line.sendall(b"x")
        if not line.recv(1):
            raise SystemExit("ended")
        print(f"answered {{number}}.", flush=True)
        time.sleep(0.01)
"""


def hook(fleet: Fleet, worker: Worker) -> Path:
    """As docs/hooks.md has it, but that the way to the router leads into its namespace."""
    file = fleet.network.directory / f"{worker.name}.hook"
    router = f"nsenter --target {fleet.network.service.pid} --net"
    text = (
        '#!/bin/sh\nverb=$1\nshift 2\nfor prefix in "$@"; do\n  case $verb in\n'
        f'  active) {router} ip route replace "$prefix" via {worker.lan_address} || exit 1 ;;\n'
        f'  left) {router} ip route del "$prefix" via {worker.lan_address} 2>&1 || true ;;\n'
        "  esac\ndone\n"
    )
    write_whole(file, text.encode(), mode=0o700)
    return file


def follow(fleet: Fleet, worker: Worker) -> Process:
    """The worker's daemon, with the hook."""
    home = fleet.network.directory / f"{worker.name}.sync"
    home.mkdir(mode=0o700)
    token = fleet.api.call("POST", "/v1/tokens", body={"name": worker.name, "role": "worker"})["token"]
    write_whole(home / "token", token.encode())
    key = fleet.api.call("GET", "/v1/signing-key")["public_key"]
    text = (
        f'fleet = "lab"\nname = "{worker.name}"\nrole = "worker"\ninterface = "wg0"\ntoken_file = "token"\n'
        f'receivers = ["{fleet.receiver_url}"]\ntrusted_keys = ["{key}"]\nstate_directory = "state"\n'
        f'client_hook = "{hook(fleet, worker)}"\n'
    )
    write_whole(home / "sync.toml", text.encode())
    run: list[str | Path] = [
        sys.executable,
        "-m",
        "client_sync",
        "run",
        "--log-format",
        "json",
        "--config",
        home / "sync.toml",
    ]
    return worker.spawn("sync", run, ready='"event": "following"', timeout=LIMIT)


class Probing(PerWorkerClient):
    """It asks the service through each worker; all answers come back through the active one."""

    def settings(self) -> dict[str, object]:
        """With a target beyond."""
        return {**super().settings(), "probe_target": SERVICE}


@pytest.fixture(scope="module", params=[Client, Probing], ids=["single", "per-worker"])
def fleet(request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """Two workers whose packets keep the client's address, for a client of each layout."""
    profile = Profile(interval="1s", hold_down=3.0, client=request.param)
    with Fleet(profile, workers=2, clients=1) as fleet:
        client = fleet.network.client("c1")
        body = {"public_key": client.public_key, "addresses": [client.tunnel_address]}
        fleet.api.call("PUT", "/v1/clients/c1", body=body)
        for worker in fleet.network.workers:
            worker.break_nat()
            follow(fleet, worker)
        fleet.wait_until_serving()
        yield fleet


def way_back(fleet: Fleet) -> str:
    """The service's route to the client."""
    address = fleet.network.client("c1").tunnel_address
    return fleet.network.service.run("ip", "route", "show", f"{address}/32")


def test_a_tcp_connection_survives_a_drain_because_its_way_back_moves_with_it(fleet: Fleet) -> None:
    """The hook alone moves the route; the connection goes on through the other worker."""
    first = fleet.active("c1")
    assert first
    wait_until(
        lambda: fleet.network.worker(first).lan_address in way_back(fleet), LIMIT, "the way back by the hook"
    )
    fleet.network.service.spawn("tcp", [sys.executable, "-c", ECHO], ready="listening")
    talk = fleet.network.client("c1").spawn("talk", [sys.executable, "-c", TALK], ready="answered 50.")

    fleet.api.call("PUT", f"/v1/workers/{first}/drain")

    wait_until(lambda: fleet.active("c1") not in {None, first}, LIMIT, "the client to move")
    second = fleet.active("c1")
    assert second
    wait_until(
        lambda: fleet.network.worker(second).lan_address in way_back(fleet), LIMIT, "the way back to move"
    )
    answered = talk.output().count("answered")
    talk.wait_for_line(f"answered {answered + 200}.", LIMIT)
    assert talk.alive
    assert way_back(fleet).count("via") == 1
    assert fleet.journal(fleet.sync["c1"]).lines("worker leads nowhere") == []
    # With an interface for each worker it still goes out by the old one, until that lets go of it, or dies.
    fleet.network.worker(first).kill()
    answered = talk.output().count("answered")
    talk.wait_for_line(f"answered {answered + 200}.", LIMIT)
    assert talk.alive
