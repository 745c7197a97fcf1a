"""What one more worker and one more client are to Prometheus: counted in a real one, on a whole fleet of the lab."""

from dataclasses import dataclass

from tests.lab.fleet import Fleet
from tests.lab.waiting import wait_until

LIMIT = 60.0


@dataclass(frozen=True, slots=True)
class Series:
    """Prometheus's series, by what they grow with."""

    per_worker: int
    """The exporter's page without peers, the probes of one vantage, the rules, and what the receiver says of the worker."""
    per_client: int
    """On each worker's page: those of a peer that was seen and has no keepalive."""
    of_the_rest: int
    """Whatever says nothing of any worker: the monitoring's own daemons most of all."""


def counted() -> Series:
    """Bring a fleet up, and count."""
    with Fleet() as fleet:
        fleet.wait_until_serving()
        fleet.wait_until_warm()
        return series_of(fleet)


def series_of(fleet: Fleet) -> Series:
    """Count those of the first worker, and of the first client there; raises WaitedInVainError if they are not there."""
    worker, client = fleet.network.workers[0], next(iter(fleet.network.clients.values()))
    of_client = f'count({{worker="{worker.name}",public_key="{client.public_key}"}})'
    seen = f'wireguard_peer_last_handshake_timestamp_seconds{{worker="{worker.name}",public_key="{client.public_key}"}}'
    wait_until(lambda: fleet.query(seen), LIMIT, f"{client.name} to be seen on {worker.name}'s page")
    # A peer's key is a label of its series; so is the interface's own, of a series that is no peer's.
    peers = f'{{worker="{worker.name}",__name__=~"wireguard_peer_.+"}}'
    return Series(
        per_worker=_count(fleet, f'count({{worker="{worker.name}"}}) - count({peers})'),
        per_client=_count(fleet, of_client),
        of_the_rest=_count(fleet, 'count({__name__=~".+",worker=""})'),
    )


def _count(fleet: Fleet, expression: str) -> int:
    (one,) = fleet.query(expression)
    return int(one["value"][1])
