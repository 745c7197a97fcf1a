"""The series of single peers, as text.

A worker may have ten thousand peers and be asked each second, so these lines are written column by column and not
through prometheus_client, which takes 20 times the time for the same page. All other series go through it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from exporter import metrics
from exporter.metrics import Family
from wgfleet.dump import NONE, OFF, Table

Lines = tuple[Family, str]
"""Lines of one metric; those of all interfaces follow each other on the page."""

SENT = Family("wireguard_sent_bytes_total", "Bytes sent to the peer", metrics.PEER)
RECEIVED = Family("wireguard_received_bytes_total", "Bytes received from the peer", metrics.PEER)
LATEST_HANDSHAKE = Family(
    "wireguard_latest_handshake_seconds", "UNIX timestamp seconds of the last handshake", metrics.PEER
)
COMPATIBLE = (SENT, RECEIVED, LATEST_HANDSHAKE)
"""As prometheus_wireguard_exporter calls them; its labels are the peer's, allowed_ips, and friendly_name if known."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of single peers."""

    most: int = 20_000
    """Peers with series of their own, for each interface; 0 shows none."""
    endpoints: bool = False
    allowed_ips: bool = False
    compatible: bool = False
    """The names of prometheus_wireguard_exporter, too."""


@dataclass(slots=True)
class Roams:
    """Counts each peer's changes of endpoint, from scrape to scrape. One for each interface.

    A label with the endpoint would begin new series with each of them.
    """

    counts: dict[str, int] = field(default_factory=dict)
    _endpoints: dict[str, str] = field(default_factory=dict)

    def see(self, table: Table) -> None:
        """Take what is now; peers that are gone are forgotten."""
        now = dict(zip(table.public_keys, table.endpoints, strict=True))
        before, self._endpoints = self._endpoints, now
        if now == before:
            return
        counts = self.counts
        self.counts = {key: counts.get(key, 0) + _moved(before.get(key, NONE), now[key]) for key in now}


def _moved(before: str, now: str) -> bool:
    """Whether it is at another endpoint; the first one, or none any more, is no move."""
    return NONE not in {before, now} and before != now


def limited(table: Table, most: int) -> Table:
    """The peers that get series: those with the smallest keys, so that it is the same ones at each scrape."""
    if len(table.public_keys) <= most:
        return table
    chosen = sorted(range(len(table.public_keys)), key=table.public_keys.__getitem__)[:most]
    chosen.sort()
    return replace(
        table,
        public_keys=[table.public_keys[i] for i in chosen],
        endpoints=[table.endpoints[i] for i in chosen],
        allowed_ips=[table.allowed_ips[i] for i in chosen],
        handshakes=[table.handshakes[i] for i in chosen],
        rx_bytes=[table.rx_bytes[i] for i in chosen],
        tx_bytes=[table.tx_bytes[i] for i in chosen],
        keepalives=[table.keepalives[i] for i in chosen],
    )


def of_peers(table: Table, shown: Shown, names: Mapping[str, str], roams: Roams) -> Iterator[Lines]:
    """The lines of a table's peers."""
    common = [f'{{interface="{table.interface}",public_key="{key}"' for key in table.public_keys]
    labels = [f"{label}}} " for label in common]
    yield _lines(metrics.PEER_LAST_HANDSHAKE, labels, table.handshakes, without=0)
    yield _lines(metrics.PEER_RECEIVE_BYTES, labels, table.rx_bytes)
    yield _lines(metrics.PEER_TRANSMIT_BYTES, labels, table.tx_bytes)
    yield _lines(metrics.PEER_KEEPALIVE, labels, table.keepalives, without=OFF)
    counts = roams.counts
    yield _lines(metrics.PEER_ENDPOINT_CHANGES, labels, [counts.get(key, 0) for key in table.public_keys])
    if names:
        named = zip(common, map(names.get, table.public_keys), strict=True)
        yield _infos(metrics.PEER_INFO, ((label, name) for label, name in named if name is not None))
    if shown.endpoints:
        known = (pair for pair in zip(common, table.endpoints, strict=True) if pair[1] != NONE)
        yield _infos(metrics.PEER_ENDPOINT_INFO, known)
    if shown.allowed_ips:
        routed = zip(common, table.allowed_ips, strict=True)
        each = ((label, ip) for label, ips in routed if ips != NONE for ip in ips.split(","))
        yield _infos(metrics.PEER_ALLOWED_IPS_INFO, each)
    if shown.compatible:
        yield from _compatible(table, common, names)


def _compatible(table: Table, common: Iterable[str], names: Mapping[str, str]) -> Iterator[Lines]:
    """As the other exporter does, with its 0 for a peer that was never seen."""
    labels = [
        f'{label},allowed_ips="{"" if ips == NONE else ips}"{_friendly(names.get(key))}}} '
        for label, key, ips in zip(common, table.public_keys, table.allowed_ips, strict=True)
    ]
    yield _lines(SENT, labels, table.tx_bytes)
    yield _lines(RECEIVED, labels, table.rx_bytes)
    yield _lines(LATEST_HANDSHAKE, labels, table.handshakes)


def _friendly(name: str | None) -> str:
    return "" if name is None else f',friendly_name="{escaped(name)}"'


def _lines(
    family: Family, labels: Iterable[str], values: Iterable[int | str], *, without: int | str | None = None
) -> Lines:
    name = family.name
    both = zip(labels, values, strict=True)
    if without is None:
        return family, "".join([f"{name}{label}{value}\n" for label, value in both])
    return family, "".join([f"{name}{label}{value}\n" for label, value in both if value != without])


def _infos(family: Family, pairs: Iterable[tuple[str, str]]) -> Lines:
    start, label = family.name, family.labels[-1]
    return family, "".join([f'{start}{common},{label}="{escaped(value)}"}} 1\n' for common, value in pairs])


def escaped(value: str) -> str:
    """A label's value as the text format wants it."""
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
