"""Runs one of the daemon's layouts on the machine that this is started on; `tests/lab/perworker.py` asks it.

Each run is as good as a restart of the daemon. It reads what to do as JSON from standard input, and prints what there is.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from client_sync.cache import ManagedPeers
from client_sync.endpoints import Endpoints
from client_sync.interface import Interface, Wireguard
from client_sync.layout import Layout
from client_sync.perworker.allotments import Allotments
from client_sync.perworker.interfaces import Settings
from client_sync.perworker.layout import PerWorker
from client_sync.perworker.system import System
from wgfleet.peerset import PeerSet


def resolve(host: str, _port: int) -> tuple[str, ...]:
    """The lab's endpoints are addresses already."""
    return (host,)


def layout_of(asked: dict[str, Any]) -> Layout:
    """The layout that is asked for."""
    home = Path(asked["home"])
    if asked["layout"] == "single":
        managed = ManagedPeers(home)
        return Interface("wg0", managed, resolve, manage_routes=True, wireguard=Wireguard())
    settings = Settings(
        prefix="wg",
        private_key_file=home / "private.key",
        addresses=(asked["address"],),
        mark=asked["mark"],
        drain_deadline=asked["drain_deadline"],
    )
    return PerWorker(settings, Allotments(home), Endpoints(resolve), system=System())


def lay(asked: dict[str, Any]) -> dict[str, object]:
    """Configure it step by step."""
    layout = layout_of(asked)
    took = []
    workers = {}
    for step in asked["steps"]:
        listed = PeerSet.from_bytes(step["document"].encode(), fleet="lab").workers
        workers = {worker.name: worker for worker in listed}
        began = time.monotonic()
        layout.configure(workers, step["active"])
        took.append(time.monotonic() - began)
        time.sleep(asked["pause"])  # The traffic's time to be lost in, not a wait for anything.
    said: dict[str, object] = {"holder": layout.holder(workers), "took": took}
    if isinstance(layout, PerWorker):
        flows = layout.flows() or {}
        if asked["end_drains"]:
            layout.counted(flows)
            layout.end_drains()
        said |= {"draining": sorted(layout.draining), "flows": flows}
    return said


if __name__ == "__main__":
    print(json.dumps(lay(json.load(sys.stdin))))
