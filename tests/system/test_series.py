"""What the bench `sizes` counts in Prometheus is what the exporter's own page has."""

import httpx
import pytest

from tests.bench._series import series_of
from tests.lab.fleet import EXPORTER_PORT, Fleet

pytestmark = pytest.mark.system


def test_a_client_has_as_many_series_as_lines_on_a_workers_page(fleet: Fleet) -> None:
    """And a worker more than its page has without peers: probes, rules and the receiver's word belong to it, too."""
    worker, client = fleet.network.workers[0], next(iter(fleet.network.clients.values()))

    series = series_of(fleet)

    door = worker.forward(EXPORTER_PORT, address=worker.address)
    page = httpx.get(f"{door.url}/metrics", trust_env=False).text
    lines = [line for line in page.splitlines() if not line.startswith("#")]
    assert series.per_client == sum(client.public_key in line for line in lines) > 0
    assert series.per_worker > sum(not line.startswith("wireguard_peer_") for line in lines) > 0
    assert series.of_the_rest > 0
