"""What must move nobody: each for some minutes, and then a real death that must be found all the same."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum

from rich.console import Console
from rich.table import Table

from tests.lab import worn
from tests.lab.fleet import Fleet

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
    """Seconds until the last client had left the worker that was killed at the end."""


def disturb(
    fleet: Fleet, whats: Sequence[Disturbance], seconds: float, console: Console
) -> Iterator[Disturbed]:
    """One after the other, on all clients."""
    for what in whats:
        fleet.wait_until_warm(LIMIT)
        began = time.time()
        with ExitStack() as disturbance:
            disturbance.enter_context(_UNDER[what](fleet))
            time.sleep(seconds)  # For what must not come there is no event.
            moved = [move for client in fleet.sync for move in fleet.moves(client, since=began)]
            moves = sum(
                move["reason"] != "failback" for move in moved
            )  # That is a wish, and comes when it comes.
            if what is Disturbance.SUSPEND:
                disturbance.close()  # Awake: who sleeps finds nobody dead.
            worker = fleet.active(min(fleet.sync)) or ""
            users = fleet.users(worker)
            killed = time.time()
            fleet.network.worker(worker).kill()
            left = [
                fleet.journal(fleet.sync[client]).wait_for(
                    "moved", since=killed, timeout=LIMIT, before=worker
                )
                for client in users
            ]
        done = Disturbed(what, seconds, moves, max(float(move["time"]) for move in left) - killed)
        console.print(f"{what}: {moves} moves, death found after {done.found:.2f} s", highlight=False)
        fleet.network.worker(worker).restart()
        yield done


def show(done: Sequence[Disturbed]) -> None:
    """As a table."""
    table = Table("disturbance", "seconds", "moves", "death found after s", box=None, header_style="bold")
    for one in done:
        table.add_row(one.what, f"{one.seconds:g}", str(one.moves), f"{one.found:.3f}")
    Console().print(table)


# What each of them is.


@contextmanager
def _path(fleet: Fleet, **properties: float) -> Iterator[None]:
    endpoints = [worker.endpoint for worker in fleet.network.workers]
    with ExitStack() as stack:
        for client in fleet.network.clients.values():
            stack.enter_context(worn.path(client, endpoints, **properties))
        yield


@contextmanager
def _uploading(fleet: Fleet, rate: float) -> Iterator[None]:
    with ExitStack() as stack:
        for number, client in enumerate(fleet.network.clients.values()):
            stack.enter_context(
                worn.upload(client, fleet.network.service, rate=rate, port=worn.SINK_PORT + number)
            )
        yield


@contextmanager
def _saturated(fleet: Fleet) -> Iterator[None]:
    with _path(fleet, rate=UPLINK), _uploading(fleet, 1.5 * UPLINK):
        yield


@contextmanager
def _stopping(fleet: Fleet, stopped: float, running: float) -> Iterator[None]:
    with ExitStack() as stack:
        for daemon in fleet.sync.values():
            stack.enter_context(worn.stops(daemon, stopped=stopped, running=running))
        yield


_UNDER: Mapping[Disturbance, Callable[[Fleet], AbstractContextManager[None]]] = {
    Disturbance.LOSS: lambda fleet: _path(fleet, loss=0.1),
    Disturbance.JITTER: lambda fleet: _path(fleet, jitter=0.3),
    Disturbance.UPLOAD: lambda fleet: _uploading(fleet, UPLINK),
    Disturbance.SATURATED: _saturated,
    Disturbance.STEAL: lambda fleet: _stopping(fleet, worn.STOLEN, worn.GIVEN),
    Disturbance.SUSPEND: lambda fleet: _stopping(fleet, worn.ASLEEP, worn.AWAKE),
}
