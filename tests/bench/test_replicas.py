"""Tests of tests/bench/replicas.py: what it makes of what was seen."""

from tests.bench.replicas import summary
from tests.replicas.gaps import Answered, Fault, Gaps, Out


def test_a_gap_is_the_last_watchers_and_is_excused_while_its_receiver_is_out() -> None:
    """One that was out has to show the document from the moment at which it is back."""
    answered = [Answered(10.0, (1, 5), 0.1, 0), Answered(20.0, (1, 6), 1.5, 2)]
    living = [(10.25, (1, 5)), (20.5, (1, 6))]
    hurt = [(31.0, (1, 6))]

    gaps = Gaps(answered, [Out(1, 9.0, 30.0)], [living, hurt])

    assert (gaps.worst, gaps.longest_answer) == (1.0, 1.5)
    assert Gaps(answered, [], [living, hurt]).worst == 21.0


def test_what_never_came_is_a_gap_without_end() -> None:
    """And not none."""
    assert Gaps([Answered(10.0, (1, 5), 0.1, 0)], [], [[(10.1, (1, 4))]]).worst == float("inf")


def test_the_last_line_has_the_worst_of_each() -> None:
    """By fault, and of all."""
    slow, fast = (Gaps([Answered(1.0, (1, 1), 0.5, 0)], [], [[(at, (1, 1))]]) for at in (1.75, 1.25))

    said = summary({Fault.NONE: [fast], Fault.KILL: [slow, fast]}, 20)

    assert said["gap_seconds_max"] == 0.75
    assert said["gap_seconds_by_fault"] == {"none": 0.25, "kill": 0.75}
    assert (said["webhooks"], said["watchers"]) == (3, 60)
