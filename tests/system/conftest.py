"""One fleet for all stories that leave it as they found it."""

from collections.abc import Iterator

import pytest

from tests.lab.fleet import Fleet, Profile
from tests.lab.traffic import Traffic

HOLD_DOWN_SECONDS = 3.0


@pytest.fixture(scope="session")
def whole() -> Iterator[Fleet]:
    """The whole system, up."""
    with Fleet(Profile(interval="1s", hold_down=HOLD_DOWN_SECONDS, hold_down_factor=1.0)) as fleet:
        yield fleet


@pytest.fixture
def fleet(whole: Fleet) -> Fleet:
    """The fleet with all workers serving."""
    whole.wait_until_serving()
    return whole


@pytest.fixture
def traffics(fleet: Fleet) -> Iterator[dict[str, Traffic]]:
    """Every client's traffic, flowing; of whichever fleet a file has."""
    fleet.wait_until_serving()
    started = {name: client.traffic() for name, client in fleet.network.clients.items()}
    for traffic in started.values():
        traffic.wait_until_flowing()
    yield started
    for traffic in started.values():
        traffic.stop()
