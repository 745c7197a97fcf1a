"""The times by which alerts travel from Prometheus to the receiver.

The receiver counts on them: it is blind without a Watchdog for 20 s, and forgets an alert that is not repeated for 45 s.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from wgfleet.cli.probing import (
    ALERT_LIFETIME,
    BLIND_AFTER,
    EVALUATION,
    RESEND_DELAY,
    SHORTEST_INTERVAL,
    Probing,
    SettingsError,
    duration_text,
)

LONGEST_REPEAT = timedelta(seconds=30)
"""The receiver is told again at least this often, so that one lost message is made good."""


@dataclass(frozen=True, slots=True)
class Alerting:
    """How alerts are repeated; what is not said follows from the probing."""

    resend_delay: timedelta = RESEND_DELAY
    """`--rules.alert.resend-delay` of Prometheus."""
    group_interval: timedelta | None = None
    """Alertmanager's turns for the receiver; None: as often as the rules are evaluated."""
    repeat_interval: timedelta = LONGEST_REPEAT
    """How often Alertmanager tells the receiver what it has told already."""

    def group_interval_for(self, probing: Probing) -> timedelta:
        """Alertmanager's turns for the receiver."""
        return probing.evaluation if self.group_interval is None else self.group_interval

    def check(self, probing: Probing) -> None:
        """Raise SettingsError if alerts that travel so would break what the receiver counts on."""
        turn = self.group_interval_for(probing)
        if not EVALUATION <= self.resend_delay <= RESEND_DELAY:
            raise SettingsError(
                f"resend_delay is {duration_text(self.resend_delay)}, expected {duration_text(EVALUATION)} to "
                f"{duration_text(RESEND_DELAY)}: an alert outlives a dead Prometheus by four of them, and the receiver "
                f"must be blind {duration_text(BLIND_AFTER)} after the last Watchdog; below it one late evaluation "
                "would resolve what still holds"
            )
        if not SHORTEST_INTERVAL <= turn <= probing.interval:
            raise SettingsError(
                f"group_interval is {duration_text(turn)}, expected {duration_text(SHORTEST_INTERVAL)} to "
                f"{duration_text(probing.interval)}, the interval: a worker that fails again shortly after it was up "
                "waits for Alertmanager's next turn"
            )
        if not SHORTEST_INTERVAL <= self.repeat_interval <= LONGEST_REPEAT:
            raise SettingsError(
                f"repeat_interval is {duration_text(self.repeat_interval)}, expected "
                f"{duration_text(SHORTEST_INTERVAL)} to {duration_text(LONGEST_REPEAT)}: one lost message must be "
                "made good before the receiver forgets the alert"
            )
        if self.repeat_interval + turn >= ALERT_LIFETIME:
            raise SettingsError(
                f"repeat_interval is {duration_text(self.repeat_interval)} and group_interval {duration_text(turn)}, "
                f"expected less than {duration_text(ALERT_LIFETIME)} together: Alertmanager repeats at its turns only, "
                f"and the receiver forgets what it has not heard for {duration_text(ALERT_LIFETIME)}"
            )

    def as_json(self, probing: Probing) -> dict[str, Any]:
        """Every time in seconds, for programs."""
        return {
            "resend_delay": self.resend_delay.total_seconds(),
            "group_interval": self.group_interval_for(probing).total_seconds(),
            "repeat_interval": self.repeat_interval.total_seconds(),
        }
