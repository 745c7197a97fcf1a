"""TCP through workers that do not masquerade, for the bench of drains: the product's hook leads the way back, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from tests.lab.fleet import Fleet, Profile
from tests.lab.hooked import way_back, without_nat
from tests.lab.machines import Client
from tests.lab.perworker import ending, listen, stream
from tests.lab.process import Process
from tests.lab.waiting import WaitedInVainError, wait_until

CONNECTIONS = 10
"""Of each client."""
LINES = 300
"""Of a transfer, each answered before the next one goes: longer than it takes to begin all of them."""
LIMIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Unmasked:
    """How many of one client's transfers were complete."""

    connections: int
    """That were under way, each time."""
    drained: int
    """When their worker was drained."""
    killed: int
    """When it was killed."""


def measure(kinds: Mapping[str, type[Client]]) -> dict[str, Unmasked]:
    """A client of each kind in one fleet of two workers: all leave the one when it is drained, and the other when it dies.

    Raises WaitedInVainError.
    """
    with Fleet(Profile(hold_down=3.0, hold_down_factor=1.0), workers=2, clients=0) as fleet:
        clients = {name: fleet.add_client(kind) for name, kind in kinds.items()}
        listen(fleet.network)
        without_nat(fleet)
        fleet.wait_until_serving()
        _drain(fleet, "w1", to="w2")
        held = _transfers(clients, "drained")
        _drain(fleet, "w2", to="w1")
        drained = _complete(held)
        fleet.wait_until_serving()
        held = _transfers(clients, "killed")
        fleet.network.worker("w1").kill()
        _wait_for_all(fleet, "w2")
        killed = _complete(held)
    return {name: Unmasked(CONNECTIONS, drained[name], killed[name]) for name in kinds}


def _drain(fleet: Fleet, worker: str, *, to: str) -> None:
    """Until all have left it; then it may serve again, and nobody goes back at once."""
    fleet.api.call("PUT", f"/v1/workers/{worker}/drain")
    _wait_for_all(fleet, to)
    fleet.api.call("DELETE", f"/v1/workers/{worker}/drain")


def _wait_for_all(fleet: Fleet, worker: str) -> None:
    """Until this worker carries every client's traffic, both ways."""
    back = f"via {fleet.network.worker(worker).lan_address} "

    def both_ways(client: str) -> bool:
        return fleet.active(client) == worker and back in way_back(fleet, client)

    for client in fleet.network.clients:
        wait_until(
            partial(both_ways, client), LIMIT_SECONDS, f"{worker} to carry {client}'s traffic both ways"
        )


def _transfers(clients: Mapping[str, Client], what: str) -> dict[str, list[Process]]:
    held = {
        name: [stream(client, f"{what}{number}", lines=LINES) for number in range(CONNECTIONS)]
        for name, client in clients.items()
    }
    over = [end for some in held.values() for one in some if (end := ending(one))]
    if over:
        raise WaitedInVainError(f"{len(over)} transfers were over before their worker was {what}: {over[0]}")
    return held


def _complete(held: Mapping[str, list[Process]]) -> dict[str, int]:
    """How many of each are, once all have ended."""
    for some in held.values():
        for one in some:
            wait_until(partial(ending, one), LIMIT_SECONDS, "a transfer's end")
    return {name: sum(ending(one) == "done" for one in some) for name, some in held.items()}
