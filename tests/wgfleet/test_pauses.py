"""Tests of wgfleet/pauses.py: pauses that grow, by chance, and begin again."""

from wgfleet.pauses import Pauses


def most(low: float, high: float) -> float:
    """Chance at its most."""
    assert low == 0.0
    return high


def test_each_bound_is_half_as_long_again_up_to_the_last() -> None:
    """Which none exceeds."""
    pauses = Pauses(first=0.2, most=1.0, draw=most)

    drawn = [pauses.next() for _ in range(6)]

    assert [round(seconds, 4) for seconds in drawn] == [0.2, 0.3, 0.45, 0.675, 1.0, 1.0]


def test_what_has_worked_begins_again_with_the_first() -> None:
    """However long it had failed before."""
    pauses = Pauses(first=0.2, most=30.0, draw=most)
    for _ in range(20):
        pauses.next()

    pauses.begin_again()

    assert pauses.next() == 0.2


def test_a_pause_is_what_was_drawn_and_the_bound_grows_all_the_same() -> None:
    """One that was lucky once is not hasty for ever."""
    bounds = []

    def least(low: float, high: float) -> float:
        bounds.append(high)
        return low

    pauses = Pauses(first=0.2, most=30.0, draw=least)

    assert [pauses.next(), pauses.next()] == [0.0, 0.0]
    assert [round(bound, 4) for bound in bounds] == [0.2, 0.3]
