"""What own probes say of one worker. Pure: the time is an argument.

A probe that is not answered in time is missed; how long that is, the path's own round trips say (RFC 6298), so that a
slow path is no dead one. Misses count in a row, back to the last answer: one that comes late takes them all back. How
many make a worker silent depends on how many it loses while it is alive: on a clean path a few are enough, on one that
loses every fifth packet more, so that chance alone hardly ever does it.
"""

import math
from dataclasses import dataclass, replace

REMEMBERED = 5.0
"""Seconds after which the answer to a probe says nothing any more."""
HISTORY = 20
"""Outcomes that are kept for people to look at."""
FIRST_PATIENCE = 0.5
"""Seconds, while no round trip is known."""
LEAST_PATIENCE, MOST_PATIENCE = 0.3, 3.0
"""Seconds. The least one lets a path be slow for once: a worker or a link that is busy."""
LEAST_OVERDUE = 0.1
"""Seconds after which an answer is missed enough to ask again, though not yet given up."""
ASLEEP = 0.25
"""Seconds. A miss that is noticed so much too late was ours: we slept, or got no processor."""
BY_CHANCE = 1e-6
"""A path that is alive should be taken for silent no more often than this, each time that it is doubted."""
FEWEST_MISSES, MOST_MISSES = 5, 32
"""In a row, that make a worker silent; with the time between them, the fewest cover a lost burst of packets."""
LOSS_WEIGHT = 0.05
"""Of each probe in the estimate of the loss: some twenty make it."""
LEAST_LOSS = 0.01
"""No path is without any."""


@dataclass(frozen=True, slots=True)
class Liveness:
    """What is known of one worker's path. Times are seconds of the driver's clock."""

    asked_at: float | None = None
    """When it was last asked."""
    awaited: tuple[float, ...] = ()
    """When the unanswered probes were sent whose answers would still say something, oldest first."""
    open: tuple[float, ...] = ()
    """Those of them that are not given up."""
    answered_at: float | None = None
    """When the last answer came."""
    answered_ask: float | None = None
    """When the newest of the probes that were answered had been sent."""
    answers_since: float | None = None
    """When the first was sent of the probes that were answered since it was silent last."""
    back_at: float | None = None
    """When it answered again, having been away."""
    missed_ask: float | None = None
    """When the newest of the probes that were missed, and not by us, had been sent."""
    misses: int = 0
    """In a row, since the last answer."""
    round_trip: float | None = None
    """Smoothed, in seconds."""
    deviation: float = 0.0
    """Mean, of the round trips, in seconds."""
    loss: float = 0.0
    """Smoothed part of the probes that are lost while the worker is alive."""
    recreated_at: float | None = None
    in_vain: int = 0
    """Sessions that were made anew since the last answer."""
    history: tuple[bool, ...] = ()
    """The last outcomes, oldest first: whether it was answered."""

    @property
    def patience(self) -> float:
        """Seconds after which a probe is given up."""
        if self.round_trip is None:
            return FIRST_PATIENCE
        return min(max(self.round_trip + 4 * self.deviation, LEAST_PATIENCE), MOST_PATIENCE)

    @property
    def is_silent(self) -> bool:
        """For people: more than one miss, which may be chance."""
        return self.misses > 1

    @property
    def unanswered(self) -> tuple[float, ...]:
        """Open probes that were sent after the newest one that was answered."""
        return tuple(at for at in self.open if self.answered_ask is None or at > self.answered_ask)

    @property
    def overdue_after(self) -> float:
        """Seconds after which an open probe has taken longer than it should have."""
        usual = FIRST_PATIENCE / 2 if self.round_trip is None else self.round_trip + 4 * self.deviation
        return min(max(usual, LEAST_OVERDUE), self.patience)

    def overdue_at(self) -> float | None:
        """When the oldest open probe has taken longer than it should have; None if none is open."""
        unanswered = self.unanswered
        return unanswered[0] + self.overdue_after if unanswered else None

    def unheard(self, now: float) -> int:
        """Probes in a row that were missed, or are overdue by now."""
        return self.misses + self._overdue(now)

    def asked_in_vain(self, now: float, since: float) -> bool:
        """Whether it was asked since then and did not answer: one probe was missed, or two are overdue."""
        missed = self.missed_ask is not None and self.missed_ask >= since
        return missed or self._overdue(now, since) > 1

    def _overdue(self, now: float, since: float = -math.inf) -> int:
        return sum(since <= at <= now - self.overdue_after for at in self.unanswered)

    def silent_after(self, at_least: int) -> int:
        """Misses in a row after which it is silent, and not just unlucky."""
        return misses_beyond_chance(self.loss, BY_CHANCE, at_least)


def misses_beyond_chance(loss: float, chance: float, at_least: int) -> int:
    """So many misses in a row are less likely than that chance on a path with this loss."""
    # The estimate may be too low, by as much as that of so few probes usually is.
    lost = min(loss + math.sqrt(LOSS_WEIGHT * loss * (1.0 - loss)) + LEAST_LOSS, 0.9)
    return min(max(at_least, math.ceil(math.log(chance) / math.log(lost))), MOST_MISSES)


def ask(known: Liveness, now: float) -> Liveness:
    """A probe is sent."""
    awaited = tuple(at for at in known.awaited if now - at <= REMEMBERED)
    return replace(known, asked_at=now, awaited=(*awaited, now), open=(*known.open, now))


def answer(known: Liveness, asked_at: float, now: float) -> Liveness:
    """A probe's answer has come, in time or late; one that is not known is of another path, and changes nothing."""
    if asked_at not in known.awaited:
        return known
    late = asked_at not in known.open
    # One that was silent, or whose session was made anew, was away. That says nothing of what its path loses.
    away = known.in_vain > 0 or known.misses >= known.silent_after(FEWEST_MISSES)
    away = away or (late and known.answered_at is None)
    back_at = now if away else known.back_at
    # WireGuard keeps what is sent while there is no session: how long that took to be answered is no round trip either.
    path = known if back_at is not None and asked_at < back_at else _timed(known, now - asked_at)
    lost = 0 if away else max(known.misses - late, 0)
    loss = known.loss
    for hit in (*[1.0] * lost, 0.0):
        loss += LOSS_WEIGHT * (hit - loss)
    return replace(
        known,
        awaited=tuple(at for at in known.awaited if at != asked_at),
        # What was asked while it was away is not lost on the way.
        open=tuple(at for at in known.open if at > asked_at or (at < asked_at and not away)),
        answered_at=now,
        answered_ask=asked_at if known.answered_ask is None else max(asked_at, known.answered_ask),
        answers_since=asked_at if known.answers_since is None or known.is_silent else known.answers_since,
        back_at=back_at,
        misses=0,
        round_trip=path.round_trip,
        deviation=path.deviation,
        loss=loss,
        in_vain=0,
        history=(*known.history, True)[-HISTORY:],
    )


def _timed(known: Liveness, took: float) -> Liveness:
    """A round trip took so long (RFC 6298)."""
    if known.round_trip is None:
        return replace(known, round_trip=took, deviation=took / 2)
    deviation = 0.75 * known.deviation + 0.25 * abs(known.round_trip - took)
    return replace(known, round_trip=0.875 * known.round_trip + 0.125 * took, deviation=deviation)


def judge(known: Liveness, now: float) -> Liveness:
    """Give up what was not answered in time."""
    given_up = [at for at in known.open if now >= at + known.patience]
    if not given_up:
        return known
    counted = [at for at in given_up if now < at + known.patience + ASLEEP]
    since = known.answered_ask
    in_a_row = [at for at in counted if since is None or at > since]
    loss = known.loss
    for _ in range(len(counted) - len(in_a_row)):  # One after it was answered: this one was lost.
        loss += LOSS_WEIGHT * (1.0 - loss)
    return replace(
        known,
        open=tuple(at for at in known.open if at not in given_up),
        misses=known.misses + len(in_a_row),
        missed_ask=max(in_a_row, default=known.missed_ask),
        loss=loss,
        history=(*known.history, *[False] * len(counted))[-HISTORY:],
    )
