"""Tests of wgfleet/spread.py; tests/client_sync/test_choice.py has what follows from it for a fleet."""

import pytest

from client_sync.choice import Policy, preference
from tests.client_sync.samples import peer_set, worker
from wgfleet.quick import worker_for
from wgfleet.spread import rendezvous_score


def test_the_score_is_computed_from_the_names() -> None:
    """It survives restarts and is the same on every machine."""
    assert [rendezvous_score("laptop", f"w{number}", 100) for number in (1, 2)] == [
        pytest.approx(141.10998572),
        pytest.approx(76.59841401),
    ]


def test_a_static_device_is_given_the_worker_that_the_daemon_would_choose() -> None:
    """So a machine that changes from one to the other stays where it was."""
    workers = [worker(number, weight=weight) for number, weight in enumerate((100, 250, 40, 7), start=1)]

    for client in (f"client-{number}" for number in range(200)):
        by_daemon = min(workers, key=lambda one: preference(Policy.SPREAD, client, one))
        assert worker_for(client, peer_set(*workers)) == by_daemon
