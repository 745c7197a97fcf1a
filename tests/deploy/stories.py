"""The stories of rules.test.yml and warnings.test.yml, told for any interval, threshold and deciding probe.

`python -m tests.deploy.stories verdicts > deploy/prometheus/rules.test.yml` writes the first for the defaults, and with
`warnings` the second.

Verdicts are told in probes: a pattern has one character for each probe of a series: 1 answered, 0 not, _ not made, s the
target went away. Warnings are told in minutes, because their rules are. promtool stores a sample at the moment it is
stamped with; test_windows.py tells what a late one does.
"""

import sys
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from wgfleet.cli.probing import Probing, duration_text
from wgfleet.cli.settings import Deciding


class Told(StrEnum):
    """The two files of stories."""

    VERDICTS = "verdicts"
    WARNINGS = "warnings"

    @property
    def file_name(self) -> str:
        return "rules.test.yml" if self is Told.VERDICTS else "warnings.test.yml"

    @property
    def command(self) -> str:
        return f"python -m tests.deploy.stories {self} > deploy/prometheus/{self.file_name}"


WARNINGS_TICK = timedelta(seconds=15)
"""How often the rules of warnings are evaluated."""

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "told"),
    undefined=StrictUndefined,
    autoescape=False,  # noqa: S701  # YAML.
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def stories(
    probing: Probing, deciding: Deciding, told: Told = Told.VERDICTS, *, rules: str = "rules.yml"
) -> str:
    """The file for promtool; `rules` as seen from it."""
    clock = _Clock(probing)
    minutes = _Minutes(probing)
    return _TEMPLATES.get_template(f"{told}.yml.j2").render(
        command=told.command,
        rules=rules,
        n=probing.threshold,
        interval=duration_text(probing.interval),
        deciding=deciding,
        deciding_what=deciding.what,
        other=Deciding.ICMP if deciding is Deciding.TCP else Deciding.TCP,
        tick=duration_text(clock.tick),
        warnings_tick=duration_text(WARNINGS_TICK),
        values=clock.values,
        at=clock.at,
        before=clock.before,
        proven=clock.proven,
        minute=minutes.minute,
        failed=minutes.failed,
        interval_minutes=probing.interval / timedelta(minutes=1),
        gauge=minutes.gauge,
        counter=minutes.counter,
        cut=_cut,
        labels=_labels,
    )


class _Clock:
    """Turns probes into moments. Samples and evaluations lie on ticks, because promtool knows nothing between."""

    def __init__(self, probing: Probing) -> None:
        self._probing = probing
        self.tick = probing.interval / 10

    def values(self, pattern: str, phase: float = 0) -> str:
        """A series in promtool's notation, whose probes begin `phase` of an interval late."""
        words = [_gap(self._ticks(phase))]
        for probe in pattern:
            words += [{"s": "stale"}.get(probe, probe), _gap(self._ticks(1) - 1)]
        return " ".join(word for word in words if word)

    def at(self, probe: float) -> str:
        """The moment of a probe, counted from 0; 2.5 is half an interval after the one numbered 2."""
        return duration_text(self._ticks(probe) * self.tick)

    def before(self, probe: float) -> str:
        """The last evaluation before it."""
        return duration_text((self._ticks(probe) - 1) * self.tick)

    def proven(self, probe: float) -> str:
        """The first evaluation at which the window ends with this probe and holds `threshold` of them."""
        allowance = self._probing.timeout + self._probing.margin
        return duration_text((self._ticks(probe) + allowance // self.tick + 1) * self.tick)

    def _ticks(self, intervals: float) -> int:
        return round(intervals * self._probing.interval / self.tick)


class _Minutes:
    """Turns minutes into moments, and what a series does over minutes into promtool's notation."""

    def __init__(self, probing: Probing) -> None:
        self._probing = probing

    def minute(self, minute: float) -> str:
        """That many minutes after the beginning."""
        return duration_text(timedelta(minutes=minute))

    def failed(self, since: float, *, hold: float = 0, before: bool = False) -> str:
        """The first evaluation at which a series' last samples are all failures, the first of them at minute `since`.

        And `hold` minutes later, which is the rule's `for`; or the evaluation before.
        """
        p = self._probing
        last_answer_gone = timedelta(minutes=since) - p.interval + p.window
        ticks = last_answer_gone // WARNINGS_TICK + 1 + round(timedelta(minutes=hold) / WARNINGS_TICK)
        return duration_text((ticks - before) * WARNINGS_TICK)

    def gauge(self, *parts: tuple[float | str, float]) -> str:
        """Each value for so many minutes; "_" is no sample, "stale" says that the target went away."""
        return " ".join(_repeated(str(value), self._samples(minutes)) for value, minutes in parts)

    def counter(self, *parts: tuple[float, float]) -> str:
        """Each rate per second for so many minutes."""
        value, words = 0.0, []
        for rate, minutes in parts:
            count, step = self._samples(minutes), rate * self._probing.interval.total_seconds()
            words.append(f"{value:.6f}+{step:.6f}x{count - 1}")
            value += step * count
        return " ".join(words)

    def _samples(self, minutes: float) -> int:
        return round(timedelta(minutes=minutes) / self._probing.interval)


def _repeated(value: str, samples: int) -> str:
    # promtool's 1x3 is four samples, its _x3 is three gaps, and it has no stalex3.
    if value == "stale":
        return " ".join([value] * samples)
    return _gap(samples) if value == "_" else f"{value}x{samples - 1}"


def _gap(ticks: int) -> str:
    return f"_x{ticks}" if ticks else ""


def _cut(length: int, begin: float, end: float, phase: float) -> str:
    """The pattern of a target that is well, seen from a vantage that is cut off between two moments."""
    return "".join("0" if begin <= probe + phase < end else "1" for probe in range(length))


_CALLED: Mapping[str, str] = {
    "Down": "WireGuardWorkerDown",
    "Up": "WireGuardWorkerUp",
    "Degraded": "WireGuardWorkerDegraded",
    "Overloaded": "WireGuardWorkerOverloaded",
    "Blind": "WireGuardVantageBlind",
    "Watchdog": "Watchdog",
}
"""Short names, for stories that name many; the others are called by what follows WireGuard."""

_VERDICTS: Mapping[str, Mapping[str, str]] = {
    "WireGuardWorkerDown": {"severity": "critical", "action": "failover"},
    "WireGuardWorkerUp": {"severity": "none", "action": "admit"},
    "WireGuardWorkerDegraded": {"severity": "critical", "action": "failover"},
    "WireGuardWorkerOverloaded": {"severity": "warning", "action": "spare"},
    "WireGuardVantageBlind": {"severity": "critical", "action": "hold"},
    "Watchdog": {"severity": "none", "action": "watchdog"},
}

_CRITICAL = frozenset(
    f"WireGuard{name}"
    for name in ("ReceiverDown", "ReceiverBlind", "StoreFailing", "AlertmanagerUnreachable")
)
"""Warnings during which failover itself is not to be relied on."""


def _labels(alert: str) -> str:
    """All labels of a firing alert, such as `Down fra1` or `CollectorFailed fra1 collector=load`.

    What is not listed here must not be there.
    """
    called, *words = alert.split()
    name = _CALLED.get(called, f"WireGuard{called}")
    warning = {"severity": "critical" if name in _CRITICAL else "warning"}
    about = dict((word if "=" in word else f"worker={word}").split("=", 1) for word in words)
    labels: dict[str, Any] = {"alertname": name, **_VERDICTS.get(name, warning), "alertstate": "firing"}
    return "ALERTS{" + ", ".join(f'{label}="{value}"' for label, value in (labels | about).items()) + "}"


if __name__ == "__main__":
    print(stories(Probing(), Deciding.TUNNEL, Told(sys.argv[1])), end="")  # noqa: T201  # Its purpose.
