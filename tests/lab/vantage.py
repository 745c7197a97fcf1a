"""A monitoring host whose tunnels are the daemon's: `wgfleet-sync` in its vantage role, where else peers are set by hand."""

import sys

from tests.lab.fleet import Fleet
from tests.lab.machines import Monitoring
from tests.lab.monitoring import START_SECONDS
from tests.lab.process import Process
from wgfleet.files import write_whole


def hand_over(fleet: Fleet, host: Monitoring) -> Process:
    """Take away the peers that it has by hand, let it join by a bundle, and start the daemon, which adds them again.

    Ready once it follows.
    """
    for worker in fleet.network.workers:
        host.wg0.set("peer", worker.public_key, "remove")
    host.wg0.peers = []
    home = fleet.network.directory / f"{host.name}.sync"
    bundle = fleet.network.directory / f"{host.name}.bundle"
    asked = {
        "name": host.name,
        "role": "vantage",
        "addresses": [host.tunnel_address],
        "receivers": [fleet.receiver_url],
    }
    write_whole(bundle, fleet.api.call("POST", "/v1/enrolments", body=asked)["bundle"].encode())
    host.run(
        sys.executable, "-m", "client_sync", "enroll", bundle,
        "--directory", home, "--state-directory", home / "state", timeout=START_SECONDS,
    )  # fmt: skip
    run = [sys.executable, "-m", "client_sync", "run", "--log-format", "json", "--config"]
    return host.spawn("sync", [*run, home / "sync.toml"], ready='"event": "following"', timeout=START_SECONDS)
