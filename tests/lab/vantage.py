"""A monitoring host whose tunnels are the daemon's: `wgfleet-sync` in its vantage role, where else peers are set by hand."""

import json
import sys

from tests.lab.fleet import FLEET, Fleet
from tests.lab.machines import Monitoring
from tests.lab.monitoring import START_SECONDS
from tests.lab.process import Process
from wgfleet.files import write_whole


def hand_over(fleet: Fleet, host: Monitoring) -> Process:
    """Take away the peers that it has by hand, and start the daemon that adds them again. Ready once it follows."""
    for worker in fleet.network.workers:
        host.wg0.set("peer", worker.public_key, "remove")
    host.wg0.peers = []
    home = fleet.network.directory / f"{host.name}.sync"
    home.mkdir(mode=0o700)
    name = f"{host.name}-vantage"
    token = fleet.api.call("POST", "/v1/tokens", body={"name": name, "role": "vantage"})["token"]
    write_whole(home / "token", token.encode())
    settings = {
        "fleet": FLEET,
        "name": name,
        "role": "vantage",
        "interface": "wg0",
        "receivers": [fleet.receiver_url],
        "token_file": "token",
        "trusted_keys": [fleet.api.call("GET", "/v1/signing-key")["public_key"]],
        "state_directory": "state",
    }
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    write_whole(home / "sync.toml", lines.encode())
    run = [sys.executable, "-m", "client_sync", "run", "--log-format", "json", "--config"]
    return host.spawn("sync", [*run, home / "sync.toml"], ready='"event": "following"', timeout=START_SECONDS)
