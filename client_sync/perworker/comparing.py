"""Which workers lead nowhere, though their tunnels answer. Pure: the time is an argument.

A target beyond the workers is asked through each. That it does not answer proves nothing: it may be the one that is down. So
when it does not answer through one worker, it is asked through all in the same moment, several times over. A worker
through which it was silent each time that it answered through another leads nowhere, until it answers there again. If it
answers through nobody, the target is what is silent: nothing is held against anyone then.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

LEAST_BETWEEN = 0.9
"""Seconds between two questions through one worker, while there is no doubt."""
PATIENCE = 0.5
"""Seconds after which an answer is missed. One that comes later takes all misses of before back."""
ROUND_SECONDS = 0.2
"""Between rounds, in each of which the target is asked through all."""
ENOUGH = 5
"""Rounds in a row that a worker missed and another did not: it leads nowhere."""
MOST_ROUNDS = 10
"""Some of them for packets that others lose."""
PAUSE_SECONDS = 10.0
"""After rounds that have settled nothing."""
REMEMBERED = 5.0
"""Seconds."""
AWAY_SECONDS = 3.0
"""A worker that has not answered itself for so long was away: what was missed through it says nothing any more."""


@dataclass(slots=True)
class Round:
    """The target was asked once through some workers."""

    at: float
    through: frozenset[str]
    waiting: set[str]
    """Through these it has not answered, neither this time nor later."""
    answered: bool = False
    """Through one of them it has."""


class Comparison:
    """Lives as long as the daemon."""

    def __init__(self) -> None:
        """Begin knowing nothing."""
        self.is_silent = False
        """The target is: through nobody does it answer."""
        self._rounds: list[Round] = []
        self._series: list[Round] = []
        """Those that a doubt began."""
        self._nowhere: set[str] = set()
        self._alone_since: dict[str, float] = {}
        """When a worker was asked first of those times that it has not answered itself."""
        self._paused_until = float("-inf")

    @property
    def nowhere(self) -> frozenset[str]:
        """The workers that the target has been found silent through."""
        return frozenset(self._nowhere)

    # The workers themselves.

    def worker_asked(self, worker: str, now: float) -> None:
        """Take note that it is being asked itself."""
        self._alone_since.setdefault(worker, now)

    def worker_answered(self, worker: str, now: float) -> bool:
        """Take note that it has answered itself; False if that is to count for nothing."""
        if now - self._alone_since.pop(worker, now) >= AWAY_SECONDS:
            self._nowhere.discard(worker)
            for one in self._rounds:
                one.waiting.discard(worker)
        return worker not in self._nowhere

    # The target.

    def is_due(self, worker: str, now: float) -> bool:
        """Whether it may be asked through this worker again."""
        return not any(worker in one.through and now - one.at < LEAST_BETWEEN for one in self._rounds)

    def asked(self, workers: Collection[str], now: float) -> Round:
        """Take note that it is being asked through these."""
        fresh = Round(now, frozenset(workers), set(workers))
        self._rounds = [one for one in self._rounds if now - one.at < REMEMBERED] + [fresh]
        return fresh

    def asked_all(self, workers: Collection[str], now: float) -> Round:
        """Likewise, because `is_round_due`."""
        fresh = self.asked(workers, now)
        self._series.append(fresh)
        return fresh

    def answered(self, worker: str, question: Round) -> None:
        """Take an answer, however late."""
        question.answered = True
        for one in self._rounds:
            if one.at <= question.at:
                one.waiting.discard(worker)
        if self.is_silent:
            self.is_silent, self._paused_until = False, float("-inf")
        self._nowhere.discard(worker)

    def is_unsettled(self, now: float) -> bool:
        """Whether there is something to look at again soon."""
        return bool(self._series) or any(one.waiting and now - one.at < PATIENCE for one in self._rounds)

    def is_round_due(self, now: float) -> bool:
        """Judge by what has been missed so far; True if the target is to be asked through all workers now."""
        overdue = [one for one in self._rounds if now - one.at >= PATIENCE]
        missed = Counter(name for one in overdue if one.answered for name in one.waiting)
        self._nowhere |= {name for name, times in missed.items() if times >= ENOUGH}
        doubtful = {name for one in overdue for name in one.waiting} - self._nowhere
        if not doubtful or now < self._paused_until:
            self._series = []
            return False
        if len(self._series) < MOST_ROUNDS:
            return not self._series or now - self._series[-1].at >= ROUND_SECONDS
        if now - self._series[-1].at >= PATIENCE:
            self._give_up(now)
        return False

    def _give_up(self, now: float) -> None:
        if not any(one.answered for one in self._series):
            self._nowhere.clear()  # Who can tell, now?
            self.is_silent = True
        self._series, self._paused_until = [], now + PAUSE_SECONDS
