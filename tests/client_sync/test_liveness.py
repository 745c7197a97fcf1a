"""Tests of client_sync/liveness.py: when a miss is a miss, and when misses are a silence."""

import math
from dataclasses import replace

import pytest

from client_sync.liveness import (
    ASLEEP,
    FIRST_PATIENCE,
    LEAST_PATIENCE,
    MOST_MISSES,
    MOST_PATIENCE,
    REMEMBERED,
    Liveness,
    answer,
    ask,
    judge,
    misses_beyond_chance,
)


def probed(known: Liveness, *times: float, took: float | None) -> Liveness:
    """Asked at these times; each is answered after so long, or given up in time."""
    for at in times:
        known = ask(known, at)
        if took is None:
            known = judge(known, at + known.patience)
        else:
            known = answer(judge(known, at + took), at, at + took)
    return known


def test_a_probe_is_given_up_after_the_patience_and_not_before() -> None:
    """While no round trip is known that is half a second."""
    asked = ask(Liveness(), 10.0)

    assert judge(asked, math.nextafter(10.0 + FIRST_PATIENCE, 0.0)) == asked
    assert judge(asked, 10.0 + FIRST_PATIENCE).misses == 1


def test_patience_follows_the_round_trips() -> None:
    """A quick path is given the least, a slow one its own and room for its deviation, none more than the most."""
    quick = probed(Liveness(), *range(60), took=0.01)
    slow = probed(Liveness(), *range(60), took=0.4)
    hopeless = probed(Liveness(), *range(60), took=4.0)

    assert quick.patience == LEAST_PATIENCE
    assert 0.4 < slow.patience < 0.5
    assert hopeless.patience == MOST_PATIENCE


def test_an_answer_that_comes_late_takes_the_misses_back() -> None:
    """And is a lesson: the path is slower than was thought. Nothing was lost."""
    known = probed(Liveness(), *range(10), took=0.01)
    missed = judge(ask(known, 10.0), 10.0 + LEAST_PATIENCE)
    late = answer(missed, 10.0, 10.5)

    assert (missed.misses, late.misses) == (1, 0)
    assert late.patience > 0.5
    assert late.loss == known.loss


def test_an_answer_that_comes_much_too_late_says_nothing() -> None:
    """Nor does one to a probe that was never sent, or was answered before."""
    known = ask(ask(Liveness(), 10.0), 10.0 + REMEMBERED + 1.0)
    once = answer(known, 10.0 + REMEMBERED + 1.0, 14.5)

    assert answer(known, 10.0, 14.5) is known
    assert answer(known, 11.0, 14.5) is known
    assert answer(once, 10.0 + REMEMBERED + 1.0, 15.0) is once


def test_a_probe_that_was_overtaken_by_an_answer_is_lost_but_no_silence() -> None:
    """The next one was answered, so the worker is there."""
    known = replace(Liveness(), round_trip=0.01, deviation=0.001)
    known = answer(ask(ask(known, 10.0), 10.1), 10.1, 10.11)
    known = judge(known, 11.0 - 0.5)

    assert known.misses == 0
    assert known.loss > 0
    assert known.history == (True, False)


def test_a_miss_that_is_noticed_too_late_is_none() -> None:
    """We slept: what we did not hear meanwhile says nothing."""
    asked = ask(Liveness(), 10.0)

    assert judge(asked, 10.0 + FIRST_PATIENCE + ASLEEP).misses == 0
    assert judge(asked, 10.0 + FIRST_PATIENCE + ASLEEP).open == ()


def test_loss_is_learnt_while_the_worker_is_alive() -> None:
    """Every fourth probe is lost, for long enough."""
    known = Liveness()
    for second in range(400):
        known = probed(known, float(second), took=0.01 if second % 4 else None)

    assert known.loss == pytest.approx(0.25, abs=0.06)


def test_an_absence_is_no_loss() -> None:
    """A worker that was silent, or whose session had to be made anew, is not called lossy when it is back."""
    known = probed(Liveness(), *range(60), took=0.01)
    silent = probed(known, *range(60, 80), took=None)
    stale = replace(probed(known, *range(60, 62), took=None), in_vain=1)

    assert silent.misses == 20
    assert answer(ask(silent, 81.0), 81.0, 81.01).loss == pytest.approx(0.0)
    assert answer(ask(stale, 81.0), 81.0, 81.01).loss == pytest.approx(0.0)


@pytest.mark.parametrize(
    "before",
    [
        replace(probed(Liveness(), *range(10), took=0.01), misses=5),
        replace(probed(Liveness(), *range(10), took=0.01), misses=2, in_vain=1),
    ],
    ids=["silent", "session made anew"],
)
def test_what_waited_for_a_session_is_no_round_trip(before: Liveness) -> None:
    """WireGuard sends it once there is one: answers that come seconds late in a row. What is asked after that is one again."""
    known = before
    for at in (20.0, 21.0, 22.0):
        known = ask(known, at)
    for at in (20.0, 21.0, 22.0):
        known = answer(judge(known, 24.0), at, 24.01)

    assert known.round_trip == before.round_trip
    assert known.patience == before.patience
    assert probed(known, 25.0, took=2.0).patience > before.patience


def test_a_path_that_was_slow_from_the_beginning_is_learnt_by_the_second_answer() -> None:
    """The first one that is late may have waited for the session."""
    first = answer(judge(ask(Liveness(), 10.0), 11.0), 10.0, 11.0)

    assert first.round_trip is None
    assert answer(judge(ask(first, 12.0), 13.0), 12.0, 13.0).round_trip == pytest.approx(1.0)


@pytest.mark.parametrize(("misses", "in_vain"), [(5, 0), (2, 1)])
def test_probes_still_open_when_an_absence_ends_are_no_loss(misses: int, in_vain: int) -> None:
    """A standby that restarted is asked in quick succession: the last ones before its new session are answered by nobody."""
    known = replace(probed(Liveness(), *range(60), took=0.01), misses=misses, in_vain=in_vain)
    for at in (70.0, 70.1, 70.2, 70.3):
        known = ask(known, at)

    back = judge(answer(known, 70.3, 70.31), 70.52)

    assert back.loss == known.loss
    assert back.misses == 0


def test_the_more_a_path_loses_the_more_misses_make_a_silence() -> None:
    """So that chance alone does it no more than once in a million; on a clean path the fewest do."""
    needed = [misses_beyond_chance(loss, 1e-6, 5) for loss in (0.0, 0.05, 0.1, 0.19, 0.5, 1.0)]

    assert needed == sorted(needed)
    assert (needed[0], needed[-1]) == (5, MOST_MISSES)
    for loss, misses in zip((0.05, 0.1, 0.19), needed[1:], strict=False):
        assert loss**misses < 1e-6


def test_an_answer_is_overdue_before_it_is_given_up() -> None:
    """So that it is asked again early, on suspicion; a probe before the last answer is nobody's worry."""
    known = replace(Liveness(), round_trip=0.2, deviation=0.01)

    assert known.overdue_at() is None
    assert ask(known, 10.0).overdue_at() == pytest.approx(10.24)
    assert answer(ask(ask(known, 10.0), 10.1), 10.1, 10.3).overdue_at() is None


def test_an_overdue_probe_counts_as_unheard_before_it_is_a_miss() -> None:
    """Else a standby that restarted would be believed for an answer of before."""
    known = answer(ask(Liveness(), 10.0), 10.0, 10.02)
    asked = ask(ask(known, 11.0), 11.2)

    assert [asked.unheard(at) for at in (11.05, 11.15, 11.25, 11.35)] == [0, 1, 1, 2]
    assert answer(asked, 11.2, 11.35).unheard(11.35) == 0
    assert judge(asked, 11.31).unheard(11.31) == 2


def test_one_probe_that_is_overdue_is_not_yet_in_vain() -> None:
    """Two are, or one that was missed; of those that were sent before, nothing is said."""
    known = probed(Liveness(), *range(10), took=0.01)
    twice = ask(ask(known, 20.0), 20.06)

    assert not ask(known, 20.0).asked_in_vain(20.29, since=20.0)
    assert not twice.asked_in_vain(20.15, since=20.0)
    assert twice.asked_in_vain(20.17, since=20.0)
    assert not twice.asked_in_vain(20.17, since=20.01)
    missed = judge(ask(known, 20.0), 20.0 + LEAST_PATIENCE)
    assert missed.asked_in_vain(21.0, since=20.0)
    assert not missed.asked_in_vain(21.0, since=20.01)
