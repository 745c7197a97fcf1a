"""What the drain bench says of its moves."""

from dataclasses import replace

import pytest

from tests.bench._way_back import Unmasked
from tests.bench.drain import PER_WORKER, SINGLE, Moved, summary

SINGLE_MOVED = Moved(SINGLE, 100, 30000, 5000, 0.06, 0.005, 30, 0, new_on_new=True)
PER_WORKER_MOVED = Moved(PER_WORKER, 100, 30000, 0, 0.02, 0.04, 30, 30, new_on_new=True)
UNMASKED = {SINGLE: Unmasked(10, 10, 9), PER_WORKER: Unmasked(10, 8, 7)}
WHOLE = dict.fromkeys((SINGLE, PER_WORKER), Unmasked(10, 10, 10))


def test_the_last_line_has_both_layouts() -> None:
    """By their names, in whatever order they were measured."""
    assert summary([PER_WORKER_MOVED, SINGLE_MOVED], UNMASKED, 50.0) == {
        "round_trip_ms": 50.0,
        "moves": 100,
        "packets": 30000,
        "per_worker_lost": 0,
        "single_lost": 5000,
        "single_lost_per_move": 50.0,
        "nat_tcp_survived": 30,
        "nat_tcp_total": 30,
        "single_nat_tcp_survived": 0,
        "plain_tcp_survived": 8,
        "plain_tcp_outlived": 7,
        "plain_tcp_total": 10,
        "single_plain_tcp_survived": 10,
        "single_plain_tcp_outlived": 9,
        "kept": False,
    }


def test_nothing_lost_is_a_success() -> None:
    """Of what must not be: with one interface, packets and transfers through workers that masquerade are."""
    assert summary([SINGLE_MOVED, PER_WORKER_MOVED], WHOLE, 50.0)["kept"] is True


@pytest.mark.parametrize(
    "worse",
    [
        replace(PER_WORKER_MOVED, lost=1),
        replace(PER_WORKER_MOVED, survived=29),
        replace(PER_WORKER_MOVED, survived=0, connections=0),
        replace(PER_WORKER_MOVED, new_on_new=False),
    ],
    ids=["a packet", "a connection", "none tried", "a new one on the old worker"],
)
def test_a_loss_is_no_success(worse: Moved) -> None:
    """Nor is it one if nothing was tried."""
    assert summary([SINGLE_MOVED, worse], WHOLE, 50.0)["kept"] is False


@pytest.mark.parametrize("layout", [SINGLE, PER_WORKER])
@pytest.mark.parametrize(
    "worse",
    [Unmasked(10, 9, 10), Unmasked(10, 10, 9), Unmasked(0, 0, 0)],
    ids=["at a drain", "at a death", "none tried"],
)
def test_a_connection_without_nat_that_broke_is_no_success(layout: str, worse: Unmasked) -> None:
    """In neither layout: its address is the same beyond each worker."""
    found = summary([SINGLE_MOVED, PER_WORKER_MOVED], {**WHOLE, layout: worse}, 50.0)

    assert found["kept"] is False
