"""Puts a page together when Prometheus asks, and at no other time: nothing is cached, so nothing is stale.

Each collector fails alone, and for each interface alone. What could not be read has no series, because a 0 would be a
claim; `wireguard_exporter_collector_success` says 0 instead, and the log says why, once.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from exporter.metrics import ALL, BUILD_INFO, COLLECTOR_DURATION, COLLECTOR_SUCCESS, Family, Sample
from exporter.netdev import Netdev
from exporter.samples import of_device, of_netdev
from wgfleet.device import Device
from wgfleet.dump import DumpError
from wgfleet.logs import say
from wgfleet.wg import WgError

LOGGER = logging.getLogger(__name__)

Source = Callable[[str], Iterable[Sample]]
"""What a collector is: an interface's name in, its samples out, or an exception."""


class WireGuardCollector(Collector):
    """The metrics of some interfaces."""

    def __init__(
        self,
        interfaces: Sequence[str],
        *,
        read_device: Callable[[str], Device],
        read_netdev: Callable[[str], Netdev | None],
        now: Callable[[], float],
        stopwatch: Callable[[], float],
        with_peers: bool,
    ) -> None:
        """Take the interfaces' names and the ways to read them.

        `now` gives UNIX time, `stopwatch` seconds that never go back; both are read when a page is asked for.
        """
        # The same one twice would be the same series twice, and Prometheus would refuse the page.
        self._interfaces = tuple(dict.fromkeys(interfaces))
        self._stopwatch = stopwatch
        self._sources: Mapping[str, Source] = {
            "device": lambda interface: of_device(read_device(interface), now=now(), with_peers=with_peers),
            "netdev": lambda interface: of_netdev(interface, read_netdev(interface)),
        }
        self._said: dict[tuple[str, str], str] = {}

    def collect(self) -> Iterator[Metric]:
        """The page, read now."""
        page: list[Sample] = []
        for collector, source in self._sources.items():
            began = self._stopwatch()
            read = [self._read(collector, source, interface) for interface in self._interfaces]
            for samples in read:
                page += samples or ()
            page.append(Sample(COLLECTOR_SUCCESS, (collector,), all(samples is not None for samples in read)))
            page.append(Sample(COLLECTOR_DURATION, (collector,), self._stopwatch() - began))
        yield from _families(page)

    def _read(self, collector: str, source: Source, interface: str) -> list[Sample] | None:
        try:
            samples = list(source(interface))  # All of an interface or nothing: no half page.
        except Exception as error:  # noqa: BLE001 - whatever it is, the other collectors' series must still go out.
            self._log(collector, interface, _text(error))
            return None
        self._log(collector, interface, "")
        return samples

    def _log(self, collector: str, interface: str, error: str) -> None:
        """Say it when it changes: a scrape each second would fill the log with one sentence."""
        before = self._said.get((collector, interface), "")
        self._said[collector, interface] = error
        if error and error != before:
            say(
                LOGGER,
                "collector failed",
                level=logging.ERROR,
                collector=collector,
                interface=interface,
                error=error,
            )
        elif before and not error:
            say(LOGGER, "collector works again", collector=collector, interface=interface)


class BuildInfo(Collector):
    """Says what runs."""

    def __init__(self, version: str, python: str) -> None:
        """Take the versions of the exporter and of Python."""
        self._labels = (version, python)

    def collect(self) -> Iterator[Metric]:
        """The one metric."""
        yield BUILD_INFO.metric([Sample(BUILD_INFO, self._labels, 1)])


def _families(page: Iterable[Sample]) -> Iterator[Metric]:
    """The samples by metric; a metric without samples is not there."""
    found: dict[Family, list[Sample]] = {}
    for sample in page:
        found.setdefault(sample.family, []).append(sample)
    for family in ALL:
        if family in found:
            yield family.metric(found[family])


def _text(error: Exception) -> str:
    """What may be logged of it. Ours never quote a key; of a stranger's, which might, only the kind is told."""
    return str(error) if isinstance(error, WgError | DumpError | OSError) else type(error).__name__
