"""How often workers are probed, and the times that follow from it.

Prometheus stamps a failed probe with the moment it began, but stores it only when it has timed out. Every window
here comes from that one fact: research showed `[3 x interval]` never firing on a worker that hangs.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

MILLISECOND = timedelta(milliseconds=1)
"""The resolution of Prometheus's durations and timestamps."""

SHORTEST_INTERVAL = 100 * MILLISECOND
"""Below it the probes of a fleet become a load of their own, and a rule cannot be evaluated between two of them."""

LONGEST_INTERVAL = timedelta(minutes=2)
"""Prometheus forgets a series that has had no sample for 5 min: one lost scrape must not bring it near that."""

SILENT_INTERVALS = 6
"""The receiver is blind for a worker of which it has heard nothing for longer than this many intervals."""

TIMEOUT_OFFSET = 50 * MILLISECOND
"""What blackbox is started with (`--timeout-offset`): it takes this off the scrape timeout for its answer's way."""

MOST_SCRAPE_ROOM = 200 * MILLISECOND
"""How much longer than the probe a scrape may take: blackbox's offset and a busy machine."""

MOST_MARGIN = 500 * MILLISECOND
"""How late a sample may be stored beyond its timeout, and how far a sample is kept from a window's edge."""

LEAST_MARGIN = 10 * MILLISECOND
"""What it takes to store a sample after its timeout, on a machine that has nothing else to do."""

EVALUATION = timedelta(seconds=1)
"""Rules are evaluated this often however slowly the probes run: what is known shall not wait."""

RESEND_DELAY = timedelta(seconds=5)
"""`--rules.alert.resend-delay`: an alert that Alertmanager missed comes again after this."""

BLIND_AFTER = timedelta(seconds=20)
"""Without a fresh Watchdog for this long the receiver is blind, whatever else is set."""

WATCHDOG_INTERVAL = timedelta(seconds=5)
"""How often the Watchdog's group is evaluated and its webhook repeated."""

ALERT_LIFETIME = timedelta(seconds=45)
"""The receiver forgets an alert that it has not heard for this long, while it cannot read Alertmanager's list."""

_UNITS: Mapping[str, timedelta] = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": MILLISECOND,
}
_DURATION = re.compile("".join(rf"(?:(?P<{unit}>[0-9]{{1,6}}){unit})?" for unit in _UNITS), re.ASCII)


class SettingsError(ValueError):
    """A setting that cannot work; the text names the field, its value and what would be right."""


def parse_duration(text: str) -> timedelta:
    """Read a duration as Prometheus writes it, or raise ValueError that says what would be right."""
    found = _DURATION.fullmatch(text)
    if not found or not text:
        raise ValueError(f"{text!r} is not a duration: as 500ms, 30s or 1m30s")
    return sum(
        (int(count) * _UNITS[unit] for unit, count in found.groupdict().items() if count), start=timedelta()
    )


def duration_text(duration: timedelta) -> str:
    """Write a duration as Prometheus does, to the millisecond."""
    rest = duration
    words = []
    for unit, size in _UNITS.items():
        count, rest = divmod(rest, size)
        if count:
            words.append(f"{count}{unit}")
    return "".join(words) or "0s"


def default_timeout(interval: timedelta) -> timedelta:
    """Half the interval, and 2 s at most: an answer that takes longer is no use to anybody's traffic."""
    return min(timedelta(seconds=2), _whole_milliseconds(interval / 2))


@dataclass(frozen=True, slots=True)
class Probing:
    """How often a probe is sent, how long it waits, and how many must fail in a row."""

    interval: timedelta = timedelta(seconds=30)
    timeout: timedelta = timedelta(seconds=2)
    """For another interval see default_timeout()."""
    threshold: int = 3
    chosen_window: timedelta | None = None
    """None: the shortest that a busy machine lets work."""

    def __post_init__(self) -> None:
        if not SHORTEST_INTERVAL <= self.interval <= LONGEST_INTERVAL:
            raise SettingsError(
                f"interval is {duration_text(self.interval)}, expected {duration_text(SHORTEST_INTERVAL)} to "
                f"{duration_text(LONGEST_INTERVAL)}"
            )
        longest = self.interval - TIMEOUT_OFFSET
        if not MILLISECOND <= self.timeout <= longest:
            raise SettingsError(
                f"timeout is {duration_text(self.timeout)}, expected 1ms to {duration_text(longest)}: a probe must "
                f"end before the next begins, {duration_text(self.interval)} later, and blackbox keeps "
                f"{duration_text(TIMEOUT_OFFSET)} for its answer"
            )
        if not 2 <= self.threshold < SILENT_INTERVALS:
            raise SettingsError(
                f"threshold is {self.threshold}, expected 2 to {SILENT_INTERVALS - 1}: one lost packet is no dead "
                f"worker, and after {SILENT_INTERVALS} intervals without a verdict the receiver is blind for the worker"
            )
        if self.chosen_window is not None:
            self._check_window(self.chosen_window)

    def _check_window(self, window: timedelta) -> None:
        shortest = self.threshold * self.interval + self.timeout + LEAST_MARGIN
        longest = (self.threshold + 1) * self.interval - MILLISECOND
        if not shortest <= window <= longest:
            raise SettingsError(
                f"window is {duration_text(window)}, expected {duration_text(shortest)} to {duration_text(longest)}: "
                f"{self.threshold} x interval + timeout + {duration_text(LEAST_MARGIN)}, because a failed probe is stored "
                "only when it has timed out; and no further probe may fit in"
            )

    @property
    def scrape_timeout(self) -> timedelta:
        """A bit more than the probe's timeout: if the scrape gave up first there would be no sample at all."""
        room = max(TIMEOUT_OFFSET, (self.interval - self.timeout) / 2)
        return self.timeout + _whole_milliseconds(min(MOST_SCRAPE_ROOM, room))

    @property
    def margin(self) -> timedelta:
        """How late a failed probe may be stored beyond its timeout without making an alert flap.

        It delays every failover by as much, so it is no more than a busy machine needs.
        """
        if self.chosen_window is not None:
            return self.chosen_window - self.threshold * self.interval - self.timeout
        return _whole_milliseconds(min(MOST_MARGIN, (self.interval - self.timeout) / 4))

    @property
    def window(self) -> timedelta:
        """What the last `threshold` probes fit into, also while the next one hangs; never one probe more.

        Shorter than threshold x interval + timeout it would lose the first of them before the next is stored, and
        the alert would flap; from (threshold + 1) x interval on it would ask for one failure too many.
        """
        return self.threshold * self.interval + self.timeout + self.margin

    @property
    def evaluation(self) -> timedelta:
        """How often rules are evaluated."""
        return min(EVALUATION, self.interval)

    @property
    def detection(self) -> timedelta:
        """From a worker's death to the firing alert, at worst: it died just after it had answered."""
        return self.window + self.evaluation

    @property
    def watchdog_silence(self) -> timedelta:
        """Without a fresh Watchdog for this long, the receiver is blind: as long as an unrepeated alert lasts."""
        return BLIND_AFTER

    @property
    def worker_silence(self) -> timedelta:
        """Without any verdict on one worker for this long, the receiver is blind for it."""
        return max(SILENT_INTERVALS * self.interval, ALERT_LIFETIME)

    @property
    def detection_parts(self) -> Mapping[str, timedelta]:
        """What `detection` consists of."""
        return {
            "probes": self.threshold * self.interval,
            "timeout": self.timeout,
            "margin": self.margin,
            "evaluation": self.evaluation,
        }

    def as_json(self) -> dict[str, Any]:
        """Every time in seconds, for programs."""
        names = (
            "interval",
            "timeout",
            "scrape_timeout",
            "window",
            "evaluation",
            "detection",
            "watchdog_silence",
            "worker_silence",
        )
        return {
            "threshold": self.threshold,
            **{name: getattr(self, name).total_seconds() for name in names},
            "detection_parts": {name: part.total_seconds() for name, part in self.detection_parts.items()},
        }


def _whole_milliseconds(duration: timedelta) -> timedelta:
    return duration // MILLISECOND * MILLISECOND
