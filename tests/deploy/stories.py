"""The stories of rules.test.yml, told for any interval, threshold and deciding probe.

`python -m tests.deploy.stories > deploy/prometheus/rules.test.yml` writes them for the defaults.

A story's pattern has one character for each probe of a series: 1 answered, 0 not, _ not made, s the target went away.
promtool stores a sample at the moment it is stamped with; test_windows.py tells what a late one does.
"""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from wgfleet.cli.monitoring import Deciding
from wgfleet.cli.probing import Probing, duration_text

COMMAND = "python -m tests.deploy.stories > deploy/prometheus/rules.test.yml"

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    undefined=StrictUndefined,
    autoescape=False,  # noqa: S701  # YAML.
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def stories(probing: Probing, deciding: Deciding, *, rules: str = "rules.yml") -> str:
    """The file for promtool; `rules` as seen from it."""
    clock = _Clock(probing)
    return _TEMPLATES.get_template("rules.test.yml.j2").render(
        command=COMMAND,
        rules=rules,
        n=probing.threshold,
        interval=duration_text(probing.interval),
        deciding=deciding,
        deciding_what=deciding.what,
        other=Deciding.ICMP if deciding is Deciding.TCP else Deciding.TCP,
        tick=duration_text(clock.tick),
        values=clock.values,
        at=clock.at,
        before=clock.before,
        proven=clock.proven,
        cut=_cut,
        labels=_labels,
    )


class _Clock:
    """Turns probes into moments. Samples and evaluations lie on ticks, because promtool knows nothing between."""

    def __init__(self, probing: Probing) -> None:
        self._probing = probing
        self.tick = min(timedelta(seconds=1), probing.interval / 10)

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


def _gap(ticks: int) -> str:
    return f"_x{ticks}" if ticks else ""


def _cut(length: int, begin: float, end: float, phase: float) -> str:
    """The pattern of a target that is well, seen from a vantage that is cut off between two moments."""
    return "".join("0" if begin <= probe + phase < end else "1" for probe in range(length))


_LABELS: Mapping[str, Mapping[str, str]] = {
    "Down": {"alertname": "WireGuardWorkerDown", "severity": "critical", "action": "failover"},
    "Up": {"alertname": "WireGuardWorkerUp", "severity": "none", "action": "admit"},
    "Blind": {"alertname": "WireGuardVantageBlind", "severity": "critical", "action": "hold"},
    "Watchdog": {"alertname": "Watchdog", "severity": "none", "action": "watchdog"},
}


def _labels(alert: str) -> str:
    """All labels of a firing alert, such as `Down fra1`: what is not listed here must not be there."""
    name, _, worker = alert.partition(" ")
    labels: dict[str, Any] = {**_LABELS[name], "alertstate": "firing"} | (
        {"worker": worker} if worker else {}
    )
    return "ALERTS{" + ", ".join(f'{label}="{value}"' for label, value in labels.items()) + "}"


if __name__ == "__main__":
    print(stories(Probing(), Deciding.TUNNEL), end="")  # noqa: T201  # Its purpose.
