"""Whether all clocks agree: the receiver judges by Alertmanager's times whether monitoring lives."""

from collections.abc import Iterator
from datetime import datetime

from wgfleet.cli.doctor.asking import Part
from wgfleet.cli.doctor.findings import Finding, fault, ok, seconds, warning

AGREE_SECONDS = 2.0
"""What the header's whole seconds and a slow answer may be off by."""

HARMFUL_SECONDS = 10.0
"""Half of the Watchdog's 20 s: from here on it comes too old, or is believed for too long."""

MEND = "let all monitoring hosts keep time by NTP (`timedatectl`)"


def judge_clock(name: str, part: Part, receiver: Part) -> Iterator[Finding]:
    """Whether it agrees with the receiver's; if that is not known, with this machine's."""
    if part.clock is None:
        return
    against = "the receiver's" if receiver.clock is not None else "this machine's"
    yield from _judged(name, part.clock - (receiver.clock or 0.0), against, harmful=True)


def judge_own_clock(receiver: Part) -> Iterator[Finding]:
    """Whether this machine's agrees with the receiver's; nothing but these checks depends on it."""
    if receiver.clock is not None:
        yield from _judged("the receiver", receiver.clock, "this machine's", harmful=False)


def _judged(name: str, ahead: float, against: str, *, harmful: bool) -> Iterator[Finding]:
    if abs(ahead) <= AGREE_SECONDS:
        yield ok(f"{name}'s clock agrees with {against}")
        return
    said = f"{name}'s clock is {seconds(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} {against}"
    yield fault(said, MEND) if harmful and abs(ahead) >= HARMFUL_SECONDS else warning(said, MEND)


def timestamp(text: str) -> float:
    """RFC 3339 as Go writes it; a time that never was is far in the past."""
    return datetime.fromisoformat(text).timestamp()
