"""The worker's load as collectors: each reads its own part when it is asked, and fails alone.

Threads may ask at the same time; what a part remembers from one time to the next is guarded by its lock, reading
included, so that readings are remembered in the order in which they were taken.
"""

import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, Protocol, TypeVar

from exporter import load
from exporter.load import Conntrack, Cpus, Memory, Ratios, Softnet, Span, Unwrapped, Uplink, Window
from exporter.metrics import Sample

T = TypeVar("T")

Part = Callable[[], Iterable[Sample]]
"""Its samples now. Raises OSError or ProcError if they cannot be read."""


class Readings(Protocol):
    """What there is to read; exporter.proc.Proc is it."""

    def cpus(self) -> Cpus: ...
    def softnet(self) -> Mapping[int, Softnet]: ...
    def conntrack(self) -> Conntrack | None: ...
    def uplink(self) -> Uplink | None: ...
    def udp_buffer_errors(self) -> int: ...
    def memory(self) -> Memory: ...
    def forwarding(self) -> Mapping[str, bool]: ...


class Load:
    """The collectors of a worker's load."""

    def __init__(self, readings: Readings, *, stopwatch: Callable[[], float]) -> None:
        """Read once, so that the first scrape a second from now has rates.

        `stopwatch` gives seconds that never go back.
        """
        self._readings = readings
        self._softnet = Unwrapped()
        self._softnet_lock = threading.Lock()
        self._measured: Mapping[
            str, _Measured[Cpus] | _Measured[Uplink] | _Measured[Conntrack] | _Measured[Memory]
        ] = {
            "cpu": _Measured(readings.cpus, load.cpus_go_on, load.of_cpus, load.cpu_ratios, stopwatch),
            "uplink": _Measured(
                readings.uplink, load.uplink_goes_on, load.of_uplink, load.uplink_ratios, stopwatch
            ),
            "conntrack": _Measured(
                readings.conntrack, _always, load.of_conntrack, load.conntrack_ratios, stopwatch
            ),
            "memory": _Measured(readings.memory, _always, load.of_memory, load.memory_ratios, stopwatch),
        }
        for read in (self._of_softnet, *(measured.ratios for measured in self._measured.values())):
            # What cannot be read is said by the scrapes, in the log and on the page.
            with contextlib.suppress(OSError, ValueError):
                read()

    def parts(self) -> Mapping[str, Part]:
        """The collectors by name."""
        return {
            **{name: measured.samples for name, measured in self._measured.items()},
            "softnet": self._of_softnet,
            "udp": lambda: load.of_udp(self._readings.udp_buffer_errors()),
            "forwarding": lambda: load.of_forwarding(self._readings.forwarding()),
            "load": lambda: load.load_of([measured.ratios() for measured in self._measured.values()]),
        }

    def _of_softnet(self) -> Iterable[Sample]:
        with self._softnet_lock:
            counted = self._softnet.add(self._readings.softnet())
        return load.of_softnet(counted)


class _Measured(Generic[T]):
    """One part of the load: how it is read, and what is said of it."""

    def __init__(
        self,
        read: Callable[[], T | None],
        goes_on: Callable[[T, T], bool],
        describe: Callable[[T], Iterable[Sample]],
        measure: Callable[[Span[T]], Ratios | None],
        stopwatch: Callable[[], float],
    ) -> None:
        self._read = read
        self._describe = describe
        self._measure = measure
        self._stopwatch = stopwatch
        self._window = Window(goes_on)
        self._lock = threading.Lock()

    def samples(self) -> list[Sample]:
        """What it is, and how much of it is in use."""
        if (looked := self._look()) is None:
            return []
        reading, span = looked
        return [*self._describe(reading), *load.of_ratios(self._measure(span))]

    def ratios(self) -> Ratios | None:
        """How much of it is in use. Within a second of `samples` that is the same, so one page agrees with itself."""
        looked = self._look()
        return self._measure(looked[1]) if looked else {}

    def _look(self) -> tuple[T, Span[T]] | None:
        with self._lock:
            reading = self._read()
            if reading is None:
                self._window.clear()
                return None
            return reading, self._window.add(reading, now=self._stopwatch())


def _always(_before: object, _after: object) -> bool:
    """It is a level, not a counter: any two readings go on."""
    return True
