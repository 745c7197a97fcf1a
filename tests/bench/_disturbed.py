"""What must move nobody: some minutes of each, and then a real death that must be found all the same.

Each disturbance has a client of its own, in one fleet, all at the same time: so each of them also has the others' load.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.lab import worn
from tests.lab.fleet import Fleet, Profile

LIMIT = 60.0
UPLINK = 2e6
"""Bits per second."""


class Disturbance(StrEnum):
    """What it is."""

    LOSS = "10 % loss each way"
    JITTER = "300 ms jitter each way"
    UPLOAD = "one-way upload"
    SATURATED = "saturated uplink"
    STEAL = "90 % CPU steal"
    SUSPEND = "suspend and resume"


@dataclass(frozen=True, slots=True)
class Disturbed:
    """What came of one."""

    what: Disturbance
    seconds: float
    moves: int
    """While nothing was wrong."""
    found: float
    """Seconds until its client had left the worker that was killed at the end."""


def disturbed(seconds: float, console: Console) -> list[Disturbed]:
    """All of them for so long, and then one death after the other, until each client has had its own."""
    with Fleet(Profile(local_failover=True), clients=len(Disturbance)) as fleet:
        whose = dict(zip(fleet.sync, Disturbance, strict=True))
        fleet.wait_until_serving()
        fleet.end_the_control_plane()
        fleet.wait_until_warm(LIMIT)
        with ExitStack() as disturbances:
            ends = {
                client: disturbances.enter_context(_begun(fleet, client, what))
                for client, what in whose.items()
            }
            began = time.time()
            _sit_through(seconds, console)
            moves = {client: _unwished(fleet, client, began) for client in whose}
            for client, what in whose.items():
                if what is Disturbance.SUSPEND:
                    ends[client].close()  # Awake: who sleeps finds nobody dead.
            found = _deaths(fleet, console)
    return [Disturbed(what, seconds, moves[client], found[client]) for client, what in whose.items()]


def _begun(fleet: Fleet, client: str, what: Disturbance) -> ExitStack:
    begun = ExitStack()
    begun.enter_context(_UNDER[what](fleet, client))
    return begun


def _sit_through(seconds: float, console: Console) -> None:
    until = time.monotonic() + seconds
    with Progress(console=console, transient=True) as progress:
        sat = progress.add_task("disturbing all clients", total=seconds)
        while (left := until - time.monotonic()) > 0:
            progress.update(sat, completed=seconds - left)
            time.sleep(min(1.0, left))  # For what must not come there is no event.


def _unwished(fleet: Fleet, client: str, since: float) -> int:
    """A failback is a wish, and comes when it comes."""
    return sum(move["reason"] != "failback" for move in fleet.moves(client, since=since))


def _deaths(fleet: Fleet, console: Console) -> dict[str, float]:
    found: dict[str, float] = {}
    for client in fleet.sync:
        if client in found:
            continue
        fleet.wait_until_warm(LIMIT)
        name = fleet.active(client) or ""
        users = fleet.users(name)
        killed = time.time()
        fleet.network.worker(name).kill()
        for user in users:
            move = fleet.journal(fleet.sync[user]).wait_for("moved", since=killed, timeout=LIMIT, before=name)
            found.setdefault(user, float(move["time"]) - killed)
        console.print(f"{name} died, found by {', '.join(users)}", highlight=False)
        fleet.network.worker(name).restart()
    return found


def show(done: Sequence[Disturbed]) -> None:
    """As a table."""
    table = Table("disturbance", "seconds", "moves", "death found after s", box=None, header_style="bold")
    for one in done:
        table.add_row(one.what, f"{one.seconds:g}", str(one.moves), f"{one.found:.3f}")
    Console().print(table)


# What each of them is.


def _path(fleet: Fleet, client: str, **properties: float) -> AbstractContextManager[None]:
    endpoints = [worker.endpoint for worker in fleet.network.workers]
    return worn.path(fleet.network.client(client), endpoints, **properties)


def _uploading(fleet: Fleet, client: str, rate: float) -> AbstractContextManager[None]:
    port = worn.SINK_PORT + list(fleet.sync).index(client)
    return worn.upload(fleet.network.client(client), fleet.network.service, rate=rate, port=port)


@contextmanager
def _saturated(fleet: Fleet, client: str) -> Iterator[None]:
    with _path(fleet, client, rate=UPLINK), _uploading(fleet, client, 1.5 * UPLINK):
        yield


def _stopping(fleet: Fleet, client: str, stopped: float, running: float) -> AbstractContextManager[None]:
    return worn.stops(fleet.sync[client], stopped=stopped, running=running)


_UNDER: Mapping[Disturbance, Callable[[Fleet, str], AbstractContextManager[None]]] = {
    Disturbance.LOSS: lambda fleet, client: _path(fleet, client, loss=0.1),
    Disturbance.JITTER: lambda fleet, client: _path(fleet, client, jitter=0.3),
    Disturbance.UPLOAD: lambda fleet, client: _uploading(fleet, client, UPLINK),
    Disturbance.SATURATED: _saturated,
    Disturbance.STEAL: lambda fleet, client: _stopping(fleet, client, worn.STOLEN, worn.GIVEN),
    Disturbance.SUSPEND: lambda fleet, client: _stopping(fleet, client, worn.ASLEEP, worn.AWAKE),
}
