"""What a check says: one line each, and what to do."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    UNCHECKED = "not checked"
    """What it depends on is dead; that is said where it is found."""
    WARNING = "warning"
    FAULT = "fault"
    """Failover does not work, or not as fast as it should."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    what: str
    do: str = ""
    """What mends it; of what was not checked, why."""


@dataclass(frozen=True, slots=True)
class Group:
    """What was found of one part."""

    title: str
    findings: tuple[Finding, ...]

    def has(self, *levels: Level) -> bool:
        """Whether there is a finding of these levels."""
        return any(finding.level in levels for finding in self.findings)


def ok(what: str) -> Finding:
    """All is well with it."""
    return Finding(Level.OK, what)


def warning(what: str, do: str) -> Finding:
    """Failover works, but somebody should look."""
    return Finding(Level.WARNING, what, do)


def fault(what: str, do: str) -> Finding:
    """Failover does not work as it should."""
    return Finding(Level.FAULT, what, do)


def unchecked(what: str, because: str) -> Finding:
    """It cannot be told."""
    return Finding(Level.UNCHECKED, what, because)


def untold(what: str, why: str) -> Finding:
    """It was reached, and does not say this."""
    return fault(f"it does not tell {what}: {why}", "see its log; is it what its address says it is?")


def some(names: Iterable[str], most: int = 5) -> str:
    """The names in words, but not a page of them."""
    known = list(names)
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(known[:most]) + more


def seconds(value: float) -> str:
    """A time in words that one reads at a glance."""
    size = abs(value)
    if size < 120:
        return f"{value:.0f} s"
    if size < 7200:
        return f"{value / 60:.0f} min"
    return f"{value / 3600:.0f} h"
