"""What is worth a line in the log while something is away that is tried again and again: its loss, once, and each other reason. Pure."""

from dataclasses import dataclass, field

MOST_REASONS = 8
"""Of one outage: more are no news, but words that differ each time."""


@dataclass(slots=True)
class Outages:
    """Who is away at present: since when, and for what reasons."""

    _away: dict[str, "_Outage"] = field(default_factory=dict)

    def lost(self, whom: str, error: str, now: float) -> bool:
        """Whether that is news: the first failure of an outage, or the first of its kind in it."""
        outage = self._away.setdefault(whom, _Outage(since=now))
        kind = _kind(error)
        if kind in outage.reasons or len(outage.reasons) == MOST_REASONS:
            return False
        outage.reasons.add(kind)
        return True

    def reached(self, whom: str, now: float) -> float | None:
        """For how many seconds it was away; None: it was not."""
        outage = self._away.pop(whom, None)
        return None if outage is None else round(now - outage.since, 1)


@dataclass(slots=True)
class _Outage:
    since: float
    reasons: set[str] = field(default_factory=set)


def _kind(error: str) -> str:
    """What it answered counts by its status: a page around that may differ each time."""
    return error.partition(": ")[0] if error.startswith("it answered ") else error
