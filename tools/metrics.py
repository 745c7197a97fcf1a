"""Writes docs/metrics.md: every metric of the exporter, the receiver and the client.

`python -m tools.metrics > docs/metrics.md`
"""

import sys
from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from client_sync import textfile
from exporter.metrics import ALL
from exporter.peers import COMPATIBLE
from failover_receiver.following.metrics import FollowerMetrics
from failover_receiver.metrics import Metrics

COMMAND = "python -m tools.metrics > docs/metrics.md"

HEAD = f"""\
<!-- {COMMAND} -->
# Metrics

Series of a peer have its interface and public key as labels and nothing that moves in a failover: a roam or a move of
allowed IPs begins no new series. What was never so has no series: a peer without a handshake has no time of one. What
could not be read has none either, and `wireguard_exporter_collector_success` says 0.
"""


COMPATIBLE_HEAD = """
With `--compat.prometheus-wireguard-exporter`, as that exporter calls them; also with `allowed_ips` and, where a name is
known, `friendly_name`:
"""


def page() -> str:
    """The whole file."""
    exporter = ((family.name, family.kind, family.labels, family.help) for family in ALL)
    compatible = ((family.name, family.kind, family.labels, family.help) for family in COMPATIBLE)
    return "\n".join(
        [
            HEAD,
            "## `wgfleet-exporter`, on each worker\n",
            *_table(exporter),
            COMPATIBLE_HEAD,
            *_table(compatible),
            "\n## `wgfleet-receiver`\n",
            *_table(_registered(Metrics().registry)),
            "\n## `wgfleet-receiver follow`\n",
            *_table(_registered(FollowerMetrics().registry)),
            "\nAll three have the `process_` metrics of prometheus_client, too.\n",
            "## `wgfleet-sync`, on each client\n",
            "In the file that `textfile` in sync.toml names, for node_exporter; it has no port of its own.\n",
            *_table((family.name, "gauge", family.labels, family.help) for family in textfile.ALL),
            "",
        ]
    )


def _registered(registry: CollectorRegistry) -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    # By what is registered, because that is what a page shows.
    for collector in registry._collector_to_names:  # noqa: SLF001 - there is no public way to the labels.
        if not isinstance(collector, MetricWrapperBase):  # The process's.
            continue
        for metric in collector.describe():
            name = f"{metric.name}_total" if metric.type == "counter" else metric.name
            yield name, metric.type, tuple(collector._labelnames), metric.documentation  # noqa: SLF001


def _table(rows: Iterator[tuple[str, str, tuple[str, ...], str]]) -> Iterator[str]:
    yield "| metric | type | labels | what |"
    yield "|---|---|---|---|"
    for name, kind, labels, what in rows:
        yield f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels)} | {what} |"


if __name__ == "__main__":
    sys.stdout.write(page())
