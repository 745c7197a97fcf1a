"""Tests of client_sync/perworker/comparing.py: who leads nowhere, and when it is the target that is silent."""

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from client_sync.perworker.comparing import (
    AWAY_SECONDS,
    ENOUGH,
    LEAST_BETWEEN,
    MOST_ROUNDS,
    PATIENCE,
    PAUSE_SECONDS,
    REMEMBERED,
    ROUND_SECONDS,
    Comparison,
    Round,
)

ALL = ("w1", "w2", "w3")


@dataclass
class Time:
    """Goes by in steps; whoever is not `lost` answers in each question's own moment."""

    lost: Callable[[str], bool] = lambda _worker: False
    now: float = 100.0
    asked: int = 0
    comparison: Comparison = field(default_factory=Comparison)

    def ask(self, *workers: str) -> Round:
        """As the driver does."""
        question = self.comparison.asked(workers, self.now)
        self._answer(workers, question)
        return question

    def go(self, seconds: float) -> None:
        """Let time go by, and rounds be asked as they are due."""
        end = self.now + seconds
        while self.now + ROUND_SECONDS <= end:
            self.now = round(self.now + ROUND_SECONDS, 3)
            if self.comparison.is_round_due(self.now):
                self.asked += 1
                self._answer(ALL, self.comparison.asked_all(ALL, self.now))

    def _answer(self, workers: tuple[str, ...], question: Round) -> None:
        for worker in workers:
            if not self.lost(worker):
                self.comparison.answered(worker, question)


def only(*lost: str) -> Callable[[str], bool]:
    """These are lost."""
    return lambda worker: worker in lost


def test_what_is_answered_begins_nothing() -> None:
    """No round, nothing to look at."""
    time = Time()
    time.ask("w1")
    time.go(2.0)

    assert time.asked == 0
    assert not time.comparison.is_unsettled(time.now)


def test_one_through_which_the_target_is_silent_and_through_others_not_leads_nowhere() -> None:
    """After rounds enough, and it is asked about no more than anyone else then."""
    time = Time(only("w1"))
    time.ask("w1")
    time.go(PATIENCE + ENOUGH * ROUND_SECONDS + PATIENCE + ROUND_SECONDS)

    assert time.comparison.nowhere == {"w1"}
    assert not time.comparison.worker_answered("w1", time.now)
    assert time.comparison.worker_answered("w2", time.now)
    asked = time.asked
    time.go(60.0)
    assert time.asked == asked


def test_rounds_that_nobody_else_answered_prove_nothing() -> None:
    """One less than enough of those that somebody did."""
    time = Time(only("w1"))
    comparison = time.comparison
    for _ in range(ENOUGH - 1):
        time.ask("w1", "w2")
    time.lost = only(*ALL)
    for _ in range(ENOUGH):
        time.ask("w1", "w2")
    time.now += PATIENCE
    comparison.is_round_due(time.now)

    assert comparison.nowhere == set()


def test_a_target_that_is_silent_through_all_is_held_against_nobody() -> None:
    """It is asked in a number of rounds, and then for a while as if nothing were."""
    time = Time(only(*ALL))
    time.ask("w1")
    time.go(PATIENCE + MOST_ROUNDS * ROUND_SECONDS + PATIENCE + 2 * ROUND_SECONDS)

    assert time.comparison.is_silent
    assert time.comparison.nowhere == set()
    for _ in range(int(PAUSE_SECONDS) - 1):
        time.ask("w1")
        time.go(1.0)
    assert time.asked == MOST_ROUNDS
    time.go(1.0)
    assert time.asked > MOST_ROUNDS


def test_the_first_answer_of_a_target_that_was_silent_condemns_nobody() -> None:
    """Others have not been asked again yet; they are, at once."""
    time = Time(only(*ALL))
    time.ask("w1")
    time.go(5.0)
    time.ask("w1")
    time.lost = only()
    time.now += PATIENCE
    time.ask("w2")

    assert not time.comparison.is_silent
    assert time.comparison.is_round_due(time.now)
    assert time.comparison.nowhere == set()


def test_a_target_that_falls_silent_is_held_against_those_no_more_whom_it_was() -> None:
    """Who can tell now whether they still lead nowhere? They may be all there is."""
    time = Time(only("w1"))
    time.ask("w1")
    time.go(5.0)
    assert time.comparison.nowhere == {"w1"}
    time.lost = only(*ALL)
    time.ask("w2")
    time.go(5.0)

    assert time.comparison.is_silent
    assert time.comparison.nowhere == set()


def test_one_answer_is_enough_to_lead_on_again() -> None:
    """To a question of whatever time."""
    time = Time(only("w1"))
    question = time.ask("w1")
    time.go(5.0)
    time.comparison.answered("w1", question)

    assert time.comparison.nowhere == set()


def test_an_answer_that_comes_late_takes_back_what_was_missed_before() -> None:
    """A slow path is no dead one."""
    time = Time(only("w1"))
    questions = [time.ask("w1", "w2") for _ in range(ENOUGH)]
    time.comparison.answered("w1", questions[0])
    time.now += PATIENCE
    time.comparison.is_round_due(time.now)

    assert time.comparison.nowhere == set()


def test_an_answer_takes_back_nothing_that_was_asked_after_it() -> None:
    """A worker may have gone wrong in between."""
    time = Time(only("w1"))
    questions = [time.ask("w1", "w2")]
    for _ in range(ENOUGH):
        time.now += ROUND_SECONDS
        questions.append(time.ask("w1", "w2"))
    time.comparison.answered("w1", questions[0])
    time.now += PATIENCE
    time.comparison.is_round_due(time.now)

    assert time.comparison.nowhere == {"w1"}


def test_a_worker_that_was_away_itself_begins_anew() -> None:
    """Nothing led on through it, of course; it is not held back when it returns."""
    time = Time(only("w1"))
    time.comparison.worker_asked("w1", time.now)
    time.ask("w1")
    time.go(5.0)
    assert time.comparison.nowhere == {"w1"}

    assert time.now - 100.0 >= AWAY_SECONDS
    assert time.comparison.worker_answered("w1", time.now)
    assert time.comparison.nowhere == set()


def test_a_worker_that_is_asked_and_answers_all_the_time_was_not_away() -> None:
    """However long it leads nowhere."""
    time = Time(only("w1"))
    time.ask("w1")
    for _ in range(10):
        time.comparison.worker_asked("w1", time.now)
        counts = time.comparison.worker_answered("w1", time.now)
        time.go(1.0)

    assert not counts


def test_the_target_is_not_asked_too_often() -> None:
    """Whatever has become of the last question; the others are others."""
    time = Time(only("w1"))
    time.ask("w1")
    time.ask("w2")
    time.now += LEAST_BETWEEN - 0.1

    assert [time.comparison.is_due(worker, time.now) for worker in ALL] == [False, False, True]
    time.now = 100.0 + LEAST_BETWEEN + 0.01
    assert time.comparison.is_due("w1", time.now)


def test_nothing_is_kept_for_ever() -> None:
    """A daemon runs for months."""
    time = Time(only("w1"))
    for _ in range(100):
        time.ask("w1", "w2")
        time.go(1.0)

    assert len(time.comparison._rounds) <= REMEMBERED + 1  # Nothing else shows what is held.


@given(st.data())
def test_it_is_never_held_against_all(data: st.DataObject) -> None:
    """Whatever is lost: whoever answered the last round that proves anything is not among them."""
    time = Time(lambda _worker: data.draw(st.booleans()))
    for _ in range(20):
        time.ask(data.draw(st.sampled_from(ALL)))
        time.go(data.draw(st.sampled_from((0.2, 0.4, 1.0))))

        assert time.comparison.nowhere != set(ALL)
