"""Writes a scrape as a page: prometheus_client's own writing for everything but single peers, whose lines are ready."""

from collections.abc import Collection, Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from exporter.collector import Scrape
from exporter.metrics import ALL, Family, Sample
from exporter.peers import COMPATIBLE

OPENMETRICS = "application/openmetrics-text"
END = b"# EOF\n"
"""What an OpenMetrics page ends with."""


def written(
    scrape: Scrape, others: Iterable[Metric], *, accept: str, wanted: Collection[str] = ()
) -> tuple[list[bytes], str]:
    """The page in pieces, and its content type: `accept` is the request's header, `wanted` the families asked for, or all.

    `others` are metrics that stand beside the scrape's.
    """
    encoder, content_type = choose_encoder(accept)
    openmetrics = content_type.startswith(OPENMETRICS)
    shown = [metric for metric in (*families(scrape.samples), *others) if _is_wanted(metric.name, wanted)]
    page = [encoder(_registry(shown)).removesuffix(END)]
    for family in (*ALL, *COMPATIBLE):
        if family in scrape.lines and _is_wanted(family.name, wanted):
            page.append(_heading(family, openmetrics=openmetrics))
            page += scrape.lines[family]
    return [*page, END if openmetrics else b""], content_type


def families(samples: Iterable[Sample]) -> Iterator[Metric]:
    """The samples by metric, in the order of metrics.py; a metric without samples is not there."""
    found: dict[Family, list[Sample]] = {}
    for sample in samples:
        found.setdefault(sample.family, []).append(sample)
    for family in ALL:
        if family in found:
            yield family.metric(found[family])


def _heading(family: Family, *, openmetrics: bool) -> bytes:
    # OpenMetrics calls a counter without its `_total`, which only its samples have.
    name = family.name.removesuffix("_total") if openmetrics else family.name
    return f"# HELP {name} {family.help}\n# TYPE {name} {family.kind}\n".encode()


def _is_wanted(name: str, wanted: Collection[str]) -> bool:
    return not wanted or name in wanted or f"{name}_total" in wanted


def _registry(metrics: list[Metric]) -> CollectorRegistry:
    registry = CollectorRegistry(support_collectors_without_names=True)
    registry.register(_Collected(metrics))
    return registry


class _Collected(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics
