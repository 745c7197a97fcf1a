"""A small slice of the bench: what must hold of each client exactly. How even it is, only many clients can tell."""

from collections import Counter
from dataclasses import replace

import pytest

from client_sync.state import Settings
from tests.bench import _placing, placement
from tests.bench._deciding import Decided, decide
from tests.bench._herd import come_back
from tests.bench._placing import FAILED, Fleet, Placed, place, worst_second
from tests.bench.placement import Counts, count, print_tables, summary

CLIENTS = 2_000
SETTINGS = Settings(client="")


@pytest.fixture(scope="module")
def counts() -> Counts:
    """A slice of the million."""
    return count(range(CLIENTS))


def test_only_the_failed_workers_clients_move_and_all_of_them_return(counts: Counts) -> None:
    """In each fleet, of whatever size and weights; and the daemon's core says so of those that it is asked about."""
    told = summary(counts)

    assert (told["clients"], told["moved_others"], told["strayed"], told["contradicted"]) == (
        CLIENTS,
        0,
        0,
        0,
    )
    for placed in counts.placed:
        assert placed.wished.total() == CLIENTS
        assert placed.moved == placed.returned.total() > 0
        assert placed.asked == CLIENTS // _placing.ASKED_EVERY


def test_it_is_told(counts: Counts, capsys: pytest.CaptureFixture[str]) -> None:
    """With a line for each fleet, and one for each time that the receiver was away."""
    print_tables(counts)

    told = capsys.readouterr().out
    assert all(f"\n {workers} " in told for workers in placement.EQUAL)
    assert "unequal" in told
    assert "60 s" in told


def test_a_client_that_the_core_has_elsewhere_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that moved though its worker is well."""
    fleet = Fleet((100, 100, 100))
    monkeypatch.setattr(_placing, "decide", lambda *_: Decided("w2", "w3", "w2"))

    (placed,) = place(["client-0"], [fleet], SETTINGS)

    assert (placed.asked, placed.contradicted) == (1, 1)


def test_the_core_goes_back_to_the_failed_worker() -> None:
    """It was there, is elsewhere meanwhile, and there again."""
    workers = Fleet((100, 100, 100)).workers
    said = [decide(f"client-{number}", workers, FAILED, SETTINGS) for number in range(20)]

    moved = [one for one in said if one.first == "w1"]
    assert moved
    assert all(one.during != "w1" and one.after == "w1" for one in moved)
    assert all(one.first == one.during == one.after for one in said if one not in moved)


def test_load_is_told_by_what_a_weight_stands_for() -> None:
    """Three clients on a worker of three times the weight are not too many; the fourth one is, by a quarter."""
    fleet = Fleet((300, 100))

    even = Placed(wished=Counter({(0, 1): 3, (1, 0): 1}))
    uneven = Placed(wished=Counter({(0, 1): 15, (1, 0): 1}))

    assert even.max_over_mean(fleet) == 1.0
    assert uneven.max_over_mean(fleet) == 1.25
    assert uneven.max_over_mean_after(fleet) == 1.0, "whichever fails, the other one has all"


def test_the_worst_failure_is_told_of_all() -> None:
    """All clients of one worker go to the same other, which then has twice what it should have."""
    lopsided = Placed(wished=Counter({(0, 1): 10, (1, 2): 5, (1, 0): 5, (2, 0): 5, (2, 1): 5}))

    assert lopsided.max_over_mean_after(Fleet((1, 1, 1))) == pytest.approx(20 / 15)


def test_the_worst_second_begins_at_any_tenth() -> None:
    """Not only at whole seconds."""
    assert worst_second(Counter({8: 3, 12: 4, 18: 5})) == 9
    assert worst_second(Counter()) == 0


def test_a_daemon_comes_back_when_the_receiver_is_back_and_not_before() -> None:
    """One that was only cut off, within the first pause; one that was refused, at a later try."""
    at_once, later = come_back(200, 0.0), come_back(200, 3.0)

    assert at_once.total() == later.total() == 200
    assert set(at_once) <= {0, 1}
    assert min(later) >= 0
    assert max(later) > 1


def test_failback_comes_later_with_a_wider_spread() -> None:
    """The jitter that is counted is the daemon's own."""
    names = [f"client-{number}" for number in range(100)]
    few, many = (
        place(names, [Fleet((100, 100))], replace(SETTINGS, failback_spread=seconds))[0]
        for seconds in (10.0, 1000.0)
    )

    assert 300 <= min(few.returned) <= max(few.returned) < 400
    assert max(many.returned) > 5000
