"""Workers' daemons in a fleet.

Where workers do not masquerade, the return route follows the client by the hook, and its TCP connection survives a drain.
A worker that is stopped drains itself first.
"""

import os
import signal
import sys
import time
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
DRAIN_SECONDS = 15.0
"""A receiver that has just started cannot be sure for longer than this that all clients have left."""
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
        f"drain_on_stop = true\ndrain_timeout = {DRAIN_SECONDS}\n"
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


BOTH = pytest.mark.parametrize("fleet", [Client, Probing], ids=["single", "per-worker"], indirect=True)
SINGLE = pytest.mark.parametrize("fleet", [Client], ids=["single"], indirect=True)
"""With an interface for each worker, a worker is not empty before its last connection has ended."""


@pytest.fixture(scope="module")
def fleet(request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """Two workers whose packets keep the client's address, for a client of each layout."""
    profile = Profile(interval="1s", hold_down=3.0, client=request.param)
    with Fleet(profile, workers=2, clients=1) as fleet:
        client = fleet.network.client("c1")
        body = {"public_key": client.public_key, "addresses": [client.tunnel_address]}
        fleet.api.call("PUT", "/v1/clients/c1", body=body)
        for worker in fleet.network.workers:
            worker.break_nat()
        yield fleet


@pytest.fixture(scope="module")
def daemons(fleet: Fleet) -> dict[str, Process]:
    """Of each worker."""
    started = {worker.name: follow(fleet, worker) for worker in fleet.network.workers}
    fleet.wait_until_serving()
    return started


@pytest.fixture
def _masquerading(fleet: Fleet) -> Iterator[None]:
    """The way back does not depend on the hook meanwhile."""
    for worker in fleet.network.workers:
        worker.mend_nat()
    yield
    for worker in fleet.network.workers:
        worker.break_nat()


def way_back(fleet: Fleet) -> str:
    """The service's route to the client."""
    address = fleet.network.client("c1").tunnel_address
    return fleet.network.service.run("ip", "route", "show", f"{address}/32")


@BOTH
@pytest.mark.usefixtures("daemons")
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
    fleet.network.worker(first).restart()
    fleet.api.call("DELETE", f"/v1/workers/{first}/drain")


def in_use(fleet: Fleet) -> str:
    """The worker that carries the client's traffic, once all serve."""
    fleet.wait_until_serving()
    worker = fleet.active("c1")
    assert worker
    return worker


@SINGLE
@pytest.mark.usefixtures("_masquerading")
def test_a_worker_that_is_stopped_is_left_first_and_serves_again_once_it_is_back(
    fleet: Fleet, daemons: dict[str, Process]
) -> None:
    """A packet each 10 ms: they go on by the other worker. Then the daemon ends by itself."""
    old = in_use(fleet)
    traffic = fleet.network.client("c1").traffic()
    traffic.wait_until_flowing(via=old)
    began = time.time()

    os.kill(daemons[old].pid, signal.SIGTERM)

    wait_until(lambda: fleet.active("c1") not in {None, old}, LIMIT, "the client to move")
    fleet.journal(daemons[old]).wait_for("waiting for clients to leave", since=began, timeout=LIMIT)
    assert fleet.health()["workers"][old]["reason"] == "drained_itself"
    assert daemons[old].wait(DRAIN_SECONDS + LIMIT) == 0
    assert traffic.lost_between(began, time.time()) <= 10
    traffic.stop()
    last = fleet.journal(daemons[old]).lines("waiting for clients to leave", since=began)[-1]
    assert last["remains"].startswith("clients that the receiver, started"), "nobody uses it"
    daemons[old].start()
    fleet.wait_until_state(old, "serving", LIMIT)
    (lifted,) = fleet.api.call("GET", "/v1/events", limit=1)
    assert (lifted["who"], lifted["subject"], lifted["after"]) == (old, old, "serving")


@SINGLE
def test_an_operators_drain_outlives_the_workers_restart(fleet: Fleet, daemons: dict[str, Process]) -> None:
    """It is stopped while it is drained, and ended by a second signal; back again, it is drained as before."""
    name = in_use(fleet)
    fleet.api.call("PUT", f"/v1/workers/{name}/drain")
    began, daemon = time.time(), daemons[name]
    journal = fleet.journal(daemon)

    os.kill(daemon.pid, signal.SIGTERM)
    journal.wait_for("draining", since=began, timeout=LIMIT)
    assert daemon.terminate(LIMIT) == 0
    daemon.start()

    kept = journal.wait_for("no own drain lifted", since=began, timeout=LIMIT)
    assert "drained by an operator" in kept["reason"]
    assert fleet.health()["workers"][name]["reason"] == "drained"
    fleet.api.call("DELETE", f"/v1/workers/{name}/drain")
    fleet.wait_until_state(name, "serving", LIMIT)


@SINGLE
def test_with_the_receiver_gone_a_stopped_worker_ends_all_the_same(
    fleet: Fleet, daemons: dict[str, Process]
) -> None:
    """Long before its time is over, and it says why; nobody is moved for it."""
    name = in_use(fleet)
    fleet.receiver.kill()
    began = time.time()

    assert daemons[name].terminate(DRAIN_SECONDS) == 0

    fleet.journal(daemons[name]).wait_for("drain given up", since=began, timeout=LIMIT)
    assert not fleet.journal(daemons[name]).lines("not empty in time", since=began)
    assert fleet.active("c1") == name
    fleet.receiver.start()
    daemons[name].start()
