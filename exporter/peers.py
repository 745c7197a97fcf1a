"""The series of single peers, as lines of the page.

A worker may have ten thousand peers and be asked each second, so these lines are written column by column, from what `wg`
wrote, and not through prometheus_client, which takes many times as long for the same page. All other series go through it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import compress

from exporter import metrics
from exporter.metrics import Family
from wgfleet.dump import NEVER, NONE, OFF, Column, Table

Lines = tuple[Family, bytes]
"""Lines of one metric; those of all interfaces follow each other on the page."""

Names = Mapping[bytes, str]
"""What peers are called, by public key."""

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


class Peers:
    """The lines of one interface's peers, page after page. One page at a time.

    What of a line is the same on the next page is kept, so that a page costs its values alone.
    """

    def __init__(self, shown: Shown) -> None:
        """Take what shall be shown."""
        self._shown = shown
        self._roams = Roams()
        self._keys: Column = ()
        self._labels: list[bytes] = []
        """`{interface="wg0",public_key="..."`, without its end."""
        self._starts: dict[Family, list[bytes]] = {}
        """The lines of a metric up to their values, each after the end of the line before it."""
        self._last: dict[Family, tuple[Column, bytes]] = {}
        """The values of a metric that seldom change, and their lines."""

    def lines(self, table: Table, names: Names) -> Iterator[Lines]:
        """The lines of the table's peers, which are those that have series."""
        if self._keys != table.public_keys:
            self._begin(table)
        counts = self._roams.see(table)
        yield self._often(metrics.PEER_LAST_HANDSHAKE, table.handshakes, without=NEVER)
        yield self._often(metrics.PEER_RECEIVE_BYTES, table.rx_bytes)
        yield self._often(metrics.PEER_TRANSMIT_BYTES, table.tx_bytes)
        yield self._seldom(metrics.PEER_KEEPALIVE, table.keepalives, without=OFF)
        yield self._seldom(metrics.PEER_ENDPOINT_CHANGES, counts)
        if names:
            named = zip(self._labels, map(names.get, table.public_keys), strict=True)
            yield _infos(
                metrics.PEER_INFO, ((label, escaped(name)) for label, name in named if name is not None)
            )
        if self._shown.endpoints:
            known = (pair for pair in zip(self._labels, table.endpoints, strict=True) if pair[1] != NONE)
            yield _infos(metrics.PEER_ENDPOINT_INFO, known)
        if self._shown.allowed_ips:
            routed = zip(self._labels, table.allowed_ips, strict=True)
            each = ((label, ip) for label, ips in routed if ips != NONE for ip in ips.split(b","))
            yield _infos(metrics.PEER_ALLOWED_IPS_INFO, each)
        if self._shown.compatible:
            yield from _compatible(table, self._labels, names)

    def _begin(self, table: Table) -> None:
        self._keys = table.public_keys
        interface = table.interface.encode()
        self._labels = [b'{interface="%b",public_key="%b"' % (interface, key) for key in table.public_keys]
        self._starts = {}
        self._last = {}

    def _often(self, family: Family, values: Column, *, without: bytes | None = None) -> Lines:
        starts = self._starts.get(family)
        if starts is None:
            name = family.name.encode()
            starts = self._starts[family] = [b"\n%b%b} " % (name, label) for label in self._labels]
        if without is not None and without in values:
            there = list(map(without.__ne__, values))
            starts, values = list(compress(starts, there)), list(compress(values, there))
        return family, _woven(starts, values)

    def _seldom(self, family: Family, values: Column, *, without: bytes | None = None) -> Lines:
        known = self._last.get(family)
        if known is not None and known[0] == values:
            return family, known[1]
        lines = self._often(family, values, without=without)
        self._last[family] = values, lines[1]
        return lines


def _woven(starts: Column, values: Column) -> bytes:
    """Each start, which ends the line before it, with its value. By slices, because a loop is slow."""
    parts = [b""] * (2 * len(starts))
    parts[::2] = starts
    parts[1::2] = values
    if parts:
        parts[0] = starts[0][1:]  # Before the first line there is none to end.
        parts.append(b"\n")
    return b"".join(parts)


class Roams:
    """Counts each peer's changes of endpoint, from scrape to scrape.

    A label with the endpoint would begin new series with each of them.
    """

    def __init__(self) -> None:
        """Nobody was seen yet."""
        self._counts: dict[bytes, int] = {}
        self._keys: Column = ()
        self._endpoints: Column = ()

    def see(self, table: Table) -> list[bytes]:
        """Take what is now, and say each peer's count; peers that are gone are forgotten."""
        if self._endpoints != table.endpoints or self._keys != table.public_keys:
            before = dict(zip(self._keys, self._endpoints, strict=True))
            self._keys, self._endpoints = table.public_keys, table.endpoints
            moved = [
                key
                for key, endpoint in zip(table.public_keys, table.endpoints, strict=True)
                if _moved(before.get(key, NONE), endpoint)
            ]
            stayed = {key: count for key, count in self._counts.items() if key in before}
            self._counts = stayed | {key: stayed.get(key, 0) + 1 for key in moved}
        if not self._counts:
            return [b"0"] * len(table.public_keys)
        return [b"%d" % self._counts.get(key, 0) for key in table.public_keys]


def _moved(before: bytes, now: bytes) -> bool:
    """Whether it is at another endpoint; the first one, or none any more, is no move."""
    return NONE not in {before, now} and before != now


def limited(table: Table, most: int) -> Table:
    """The peers that get series: those with the smallest keys, so that it is the same ones at each scrape."""
    if len(table.public_keys) <= most:
        return table
    chosen = sorted(range(len(table.public_keys)), key=table.public_keys.__getitem__)[:most]

    def few(column: Column) -> Column:
        return [column[number] for number in chosen]

    return replace(
        table,
        public_keys=few(table.public_keys),
        endpoints=few(table.endpoints),
        allowed_ips=few(table.allowed_ips),
        handshakes=few(table.handshakes),
        rx_bytes=few(table.rx_bytes),
        tx_bytes=few(table.tx_bytes),
        keepalives=few(table.keepalives),
    )


def _compatible(table: Table, labels: Column, names: Names) -> Iterator[Lines]:
    """As the other exporter does, with its 0 for a peer that was never seen."""
    whole = [
        b'%b,allowed_ips="%b"%b} ' % (label, b"" if ips == NONE else ips, _friendly(names.get(key)))
        for label, key, ips in zip(labels, table.public_keys, table.allowed_ips, strict=True)
    ]
    for family, values in (
        (SENT, table.tx_bytes),
        (RECEIVED, table.rx_bytes),
        (LATEST_HANDSHAKE, table.handshakes),
    ):
        name = family.name.encode()
        yield family, _woven([b"\n%b%b" % (name, label) for label in whole], values)


def _friendly(name: str | None) -> bytes:
    return b"" if name is None else b',friendly_name="%b"' % escaped(name)


def _infos(family: Family, pairs: Iterable[tuple[bytes, bytes]]) -> Lines:
    name, label = family.name.encode(), family.labels[-1].encode()
    lines = [b'%b%b,%b="%b"} 1\n' % (name, common, label, value) for common, value in pairs]
    return family, b"".join(lines)


def escaped(value: str) -> bytes:
    """A label's value as the text format wants it."""
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n").encode()
