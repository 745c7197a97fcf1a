"""The rounds of the bench `sync`, run on a machine of the lab: `python -m tests.bench._syncing wg0 5 10000`."""

import asyncio
import base64
import ipaddress
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from client_sync.cache import ClientLists, ManagedPeers
from client_sync.worker.driver import Worker
from client_sync.worker.tunnel import Tunnel, Wireguard
from wgfleet.clientlist import ClientList, ListedClient
from wgfleet.diff import Kind, PeerChange, configuration
from wgfleet.signing import Signer, Verifier
from wgfleet.wg import read_keys, set_peers

FLEET = "bench"
FIRST = ipaddress.IPv4Address("10.0.0.2")


@dataclass(frozen=True, slots=True)
class Round:
    """Milliseconds, each."""

    from_nothing: float
    addconf: float
    one_client: float


class NotTheSameError(AssertionError):
    """The daemon's peers are not those of the file."""


def client_list(clients: int, chance: random.Random) -> ClientList:
    """So many clients."""
    listed = [
        ListedClient(
            f"client-{number}", base64.b64encode(chance.randbytes(32)).decode(), (f"{FIRST + number}/32",)
        )
        for number in range(clients)
    ]
    return ClientList(FLEET, 1, 1, 0.0, 3600.0, tuple(listed))


def one_round(interface: str, number: int, clients: int) -> Round:
    """Both ways, taking turns in who is first."""
    said = client_list(clients + 1, random.Random(number))
    listed = replace(said, clients=said.clients[:-1])
    file = configuration(
        [PeerChange(Kind.ADD, one.public_key, None, one.allowed_ips) for one in listed.clients]
    )
    ways: list[Callable[[], None]] = []
    took: dict[str, float] = {}

    def theirs() -> None:
        took["addconf"] = _milliseconds(lambda: _addconf(interface, file))
        _must_have(interface, listed)

    def ours() -> None:
        took["from_nothing"], took["one_client"] = asyncio.run(_ours(interface, listed, said))

    ways = [theirs, ours] if number % 2 else [ours, theirs]
    for way in ways:
        _empty(interface)
        way()
    return Round(**took)


async def _ours(interface: str, listed: ClientList, more: ClientList) -> tuple[float, float]:
    signer = Signer.generate()
    first, second = (signer.sign(one.to_bytes()) for one in (listed, replace(more, generation=2)))
    with tempfile.TemporaryDirectory(prefix="wgfleet-sync.") as name:
        lists = ClientLists(Path(name), Verifier([signer.public_text]), FLEET)
        there: list[float] = []

        def changed(device: str, changes: Sequence[PeerChange]) -> None:
            set_peers(device, changes)
            there.append(time.perf_counter())

        tunnel = Tunnel(interface, ManagedPeers(Path(name)), Wireguard(set_peers=changed))
        worker = Worker(lists, tunnel, around=lambda _clients: None, changed=lambda: None)
        await worker.start()
        times = []
        for document, wanted in ((first, listed), (second, more)):
            there.clear()
            began = time.perf_counter()
            await worker.document(document)
            times.append(1000 * (there[0] - began))
            _must_have(interface, wanted)
            if worker.error is not None:
                raise NotTheSameError(worker.error)
    return times[0], times[1]


def _addconf(interface: str, file: str) -> None:
    subprocess.run(["wg", "addconf", interface, "/dev/stdin"], input=file.encode(), check=True)


def _milliseconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def _must_have(interface: str, clients: ClientList) -> None:
    if read_keys(interface) != {one.public_key for one in clients.clients}:
        raise NotTheSameError(f"{interface} has other peers than the {len(clients.clients)} of the list")


def _empty(interface: str) -> None:
    set_peers(interface, [PeerChange(Kind.REMOVE, key) for key in read_keys(interface)])


def main() -> int:
    """Print each round as a line of JSON; one before them warms up."""
    interface, runs, clients = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    for number in range(runs + 1):
        done = one_round(interface, number, clients)
        if number:
            print(json.dumps(asdict(done)), flush=True)
    _empty(interface)
    return 0


if __name__ == "__main__":
    sys.exit(main())
