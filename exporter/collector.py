"""Reads everything when Prometheus asks, and at no other time: nothing is cached, so nothing is stale.

Each collector fails alone, and for each of its subjects (an interface, say) alone; all are read at once, so that one that
hangs does not take the others' time. What could not be read has no series, because a 0 would be a claim;
`wireguard_exporter_collector_success` says 0 instead, and the log says why, once.
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from exporter.attempts import EgressError
from exporter.metrics import COLLECTOR_DURATION, COLLECTOR_SUCCESS, Family, Sample
from exporter.names import NamesError
from exporter.peers import Lines
from exporter.proc import ProcError
from wgfleet.dump import DumpError
from wgfleet.logs import say
from wgfleet.wg import WgError

LOGGER = logging.getLogger(__name__)

QUOTABLE = (WgError, DumpError, NamesError, EgressError, ProcError, OSError)
"""Errors whose text we wrote or know, and which never quote a key; of a stranger's only the kind is told."""

Found = tuple[list[Sample], list[Lines]]
"""What one reading gave: samples for prometheus_client, and lines of single peers."""

Source = Callable[[float], Found]
"""One reading, given the seconds within which it should be done; or an exception."""


@dataclass(frozen=True, slots=True)
class Scrape:
    """All that one page says."""

    samples: list[Sample] = field(default_factory=list)
    lines: Mapping[Family, list[bytes]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Reading:
    found: Found | None
    seconds: float


class Collectors:
    """The collectors of an exporter, by name, each with a source for each of its subjects."""

    def __init__(
        self, sources: Mapping[str, Mapping[str, Source]], *, stopwatch: Callable[[], float]
    ) -> None:
        """Take the sources, by collector and subject; `stopwatch` gives seconds that never go back."""
        self._sources = sources
        self._stopwatch = stopwatch
        self._said: dict[tuple[str, str], str] = {}

    def scrape(self, within: float) -> Scrape:
        """Read everything now, all at once. `within` so many seconds a source should be done."""
        begun = {
            name: [_Begun(self._read, name, *one, within) for one in subjects.items()]
            for name, subjects in self._sources.items()
        }
        scrape = Scrape(lines=(lines := defaultdict(list)))
        for name, under_way in begun.items():
            readings = [one.result() for one in under_way]
            for reading in readings:
                samples, written = reading.found or ((), ())
                scrape.samples.extend(samples)
                for family, text in written:
                    lines[family].append(text)
            whole = all(reading.found is not None for reading in readings)
            took = max((reading.seconds for reading in readings), default=0.0)
            scrape.samples.append(Sample(COLLECTOR_SUCCESS, (name,), whole))
            scrape.samples.append(Sample(COLLECTOR_DURATION, (name,), took))
        return scrape

    def _read(self, collector: str, subject: str, source: Source, within: float) -> _Reading:
        began = self._stopwatch()
        found: Found | None = None
        said = ""
        try:
            found = source(within)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others' series must still go out.
            said = str(error) if isinstance(error, QUOTABLE) else type(error).__name__
        self._log(collector, subject, said)
        return _Reading(found, self._stopwatch() - began)

    def _log(self, collector: str, subject: str, error: str) -> None:
        """Say it when it changes: a scrape each second would fill the log with one sentence."""
        before = self._said.get((collector, subject), "")
        self._said[collector, subject] = error
        about = subject or None
        if error and error != before:
            say(
                LOGGER,
                "collector failed",
                level=logging.ERROR,
                collector=collector,
                interface=about,
                error=error,
            )
        elif before and not error:
            say(LOGGER, "collector works again", collector=collector, interface=about)


class _Begun:
    """A reading in a thread of its own. Not of a pool's, which would not let the process end while one hangs."""

    def __init__(self, read: Callable[..., _Reading], *arguments: object) -> None:
        self._reading: list[_Reading] = []
        self._thread = threading.Thread(
            target=lambda: self._reading.append(read(*arguments)), name="reading", daemon=True
        )
        self._thread.start()

    def result(self) -> _Reading:
        self._thread.join()
        return self._reading[0]


def samples_only(read: Callable[[], Iterable[Sample]]) -> Source:
    """A source that is quick by nature and has no lines of single peers."""
    return lambda _within: (list(read()), [])
