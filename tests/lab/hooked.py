"""Workers of a fleet that do not masquerade: each has the product's daemon, whose hook leads the way back to the client."""

from pathlib import Path

from tests.lab.fleet import Fleet
from tests.lab.machines import Worker
from tests.lab.process import Process
from tests.lab.replicas import runs, toml
from wgfleet.files import write_whole

LIMIT_SECONDS = 30.0
DRAIN_SECONDS = 15.0
"""A receiver that has just started cannot be sure for longer than this that all clients have left."""


def without_nat(fleet: Fleet) -> dict[str, Process]:
    """Register the clients, masquerade no more, start each worker's daemon; these, by worker."""
    for client in fleet.network.clients.values():
        body = {"public_key": client.public_key, "addresses": [client.tunnel_address]}
        fleet.api.call("PUT", f"/v1/clients/{client.name}", body=body)
    for worker in fleet.network.workers:
        worker.break_nat()
    return {worker.name: _follow(fleet, worker) for worker in fleet.network.workers}


def way_back(fleet: Fleet, client: str) -> str:
    """The service's route to the client."""
    address = fleet.network.client(client).tunnel_address
    return fleet.network.service.run("ip", "route", "show", f"{address}/32")


def _hook(fleet: Fleet, worker: Worker) -> Path:
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


def _follow(fleet: Fleet, worker: Worker) -> Process:
    """The worker's daemon, with the hook."""
    home = fleet.network.directory / f"{worker.name}.sync"
    home.mkdir(mode=0o700)
    token = fleet.api.call("POST", "/v1/tokens", body={"name": worker.name, "role": "worker"})["token"]
    write_whole(home / "token", token.encode())
    settings: dict[str, object] = {
        "fleet": "lab",
        "name": worker.name,
        "role": "worker",
        "interface": "wg0",
        "token_file": "token",
        "receivers": [fleet.receiver_url],
        "trusted_keys": [fleet.api.call("GET", "/v1/signing-key")["public_key"]],
        "state_directory": "state",
        "client_hook": str(_hook(fleet, worker)),
        "drain_on_stop": True,
        "drain_timeout": DRAIN_SECONDS,
    }
    write_whole(home / "sync.toml", toml(settings))
    run = runs("client_sync", home / "sync.toml")
    return worker.spawn("sync", run, ready='"event": "following"', timeout=LIMIT_SECONDS)
