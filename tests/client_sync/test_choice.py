"""Tests of client_sync/choice.py: who would rather use which worker."""

from collections import Counter

import pytest

from client_sync.choice import STATE_RANK, Policy, preference
from tests.client_sync.samples import worker
from wgfleet.peerset import PublishedWorker, WorkerState

CLIENTS = [f"client-{number}" for number in range(4000)]
FOUR = [worker(number) for number in range(1, 5)]


def first_choices(workers: list[PublishedWorker], policy: Policy = Policy.SPREAD) -> dict[str, str]:
    """The worker that each client would rather use."""
    return {client: min(workers, key=lambda one: preference(policy, client, one)).name for client in CLIENTS}


def standard_deviation(part: float) -> float:
    """Of how many of the clients fall to a worker with this part, if they fall at random."""
    return float((len(CLIENTS) * part * (1 - part)) ** 0.5)


@pytest.mark.parametrize("gone", [1, 2, 3, 4])
def test_a_worker_that_goes_moves_only_its_own_clients(gone: int) -> None:
    """All others stay where they are."""
    before = first_choices(FOUR)
    after = first_choices([one for one in FOUR if one.name != f"w{gone}"])

    assert {client for client in CLIENTS if before[client] != after[client]} == {
        client for client in CLIENTS if before[client] == f"w{gone}"
    }


def test_the_clients_of_a_worker_that_goes_are_spread_over_all_others() -> None:
    """Each of the three gets a third of them, give or take four standard deviations."""
    before, after = first_choices(FOUR), first_choices(FOUR[1:])
    moved = Counter(after[client] for client in CLIENTS if before[client] == "w1")

    assert set(moved) == {"w2", "w3", "w4"}
    for count in moved.values():
        assert abs(count - moved.total() / 3) < 4 * standard_deviation(1 / 3) * (1 / 4) ** 0.5


@pytest.mark.parametrize("weights", [(100, 100, 100, 100), (100, 200, 300, 400), (1, 1, 1, 97)])
def test_clients_fall_to_workers_in_proportion_to_their_weights(weights: tuple[int, ...]) -> None:
    """Within four standard deviations, for fixed names."""
    workers = [worker(number, weight=weight) for number, weight in enumerate(weights, start=1)]
    chosen = Counter(first_choices(workers).values())

    for one in workers:
        part = one.weight / sum(weights)
        assert abs(chosen[one.name] - len(CLIENTS) * part) < 4 * standard_deviation(part)


def test_a_higher_weight_only_draws_clients_to_its_worker() -> None:
    """Nobody moves between two workers whose weights stay."""
    before = first_choices(FOUR)
    after = first_choices([worker(1, weight=300), *FOUR[1:]])
    moved = {client for client in CLIENTS if before[client] != after[client]}

    assert moved
    assert {after[client] for client in moved} == {"w1"}


def test_a_worker_without_weight_comes_last() -> None:
    """It is not lost, though: it is there when all others are gone."""
    workers = [worker(1, weight=0), worker(2, weight=1)]

    assert set(first_choices(workers).values()) == {"w2"}
    assert set(first_choices(workers[:1]).values()) == {"w1"}


def test_the_operators_order_goes_before_weight() -> None:
    """Under `priority` the lowest number wins, however light its worker."""
    workers = [worker(1, priority=2, weight=10_000), worker(2, priority=-1, weight=1), worker(3, priority=1)]

    assert set(first_choices(workers, Policy.PRIORITY).values()) == {"w2"}


def test_equal_priorities_are_spread() -> None:
    """Among workers of the lowest number the choice is as under `spread`."""
    workers = [*FOUR[:2], worker(3, priority=1)]

    assert first_choices(workers, Policy.PRIORITY) == first_choices(workers[:2])


def test_priorities_mean_nothing_under_spread() -> None:
    """The operator's order is for the other policy."""
    assert first_choices([worker(number, priority=9 - number) for number in range(1, 5)]) == first_choices(
        FOUR
    )


def test_every_state_but_banned_has_a_rank() -> None:
    """So that the choice never stumbles over one, and a banned worker can never be compared by mistake."""
    assert {*STATE_RANK} == {*WorkerState} - {WorkerState.BANNED}


def test_the_states_are_ranked_as_the_words_say() -> None:
    """Serving and suspect are equals; then draining, joining, down."""
    ranked = sorted(STATE_RANK, key=lambda state: (STATE_RANK[state], state))

    assert ranked == ["serving", "suspect", "draining", "joining", "down"]
    assert STATE_RANK[WorkerState.SERVING] == STATE_RANK[WorkerState.SUSPECT]
