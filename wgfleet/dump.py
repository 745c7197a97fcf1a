"""Text of `wg show <interface> dump` to values. Private and preshared keys are dropped here, unread.

A Table has the peers by columns, as whoever reads ten thousand of them each second wants them; a Device has them one by
one. The Device is made from the Table, so the format is known here once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from wgfleet.device import Device, Peer

DEVICE_FIELDS = 4
PEER_FIELDS = 8

NONE = "(none)"
"""How wg(8) writes that there is no endpoint, or are no allowed IPs."""
OFF = "off"
"""How wg(8) writes that there are no keepalives, or is no firewall mark."""


class DumpError(ValueError):
    """The text is not what `wg show <interface> dump` prints. Never quotes the text: it holds keys."""


@dataclass(frozen=True, slots=True)
class Table:
    """One interface and its peers, column by column: the peer numbered i is item i of each."""

    interface: str
    public_key: str | None
    """None while the interface has no private key."""
    listen_port: int
    firewall_mark: int | None
    public_keys: Sequence[str] = ()
    endpoints: Sequence[str] = ()
    """As wg(8) writes them, `(none)` too."""
    allowed_ips: Sequence[str] = ()
    """As wg(8) writes them: separated by commas, or `(none)`."""
    handshakes: Sequence[int] = ()
    """UNIX time in whole seconds; 0 if there never was one."""
    rx_bytes: Sequence[int] = ()
    tx_bytes: Sequence[int] = ()
    keepalives: Sequence[str] = ()
    """Seconds as text, or `off`."""


def parse_table(interface: str, text: str) -> Table:
    """Read the dump of one interface.

    The format is wg(8)'s: a line for the interface (private key, public key, listen port, fwmark), then one
    for each peer (public key, preshared key, endpoint, allowed IPs, latest handshake, rx, tx, keepalive),
    separated by tabs.

    Raises:
        DumpError: it is not that.

    """
    first, *rows = [line.split("\t") for line in text.splitlines()] or [[]]
    if not first:
        raise DumpError(f"dump of {interface} is empty: an interface line was expected")
    if len(first) != DEVICE_FIELDS:
        raise DumpError(f"dump of {interface}, line 1: {len(first)} fields, expected {DEVICE_FIELDS}")
    _private_key, public_key, listen_port, firewall_mark = first
    try:
        bare = Table(
            interface=interface,
            public_key=None if public_key == NONE else public_key,
            listen_port=int(listen_port),
            firewall_mark=None if firewall_mark == OFF else int(firewall_mark, 0),
        )
    except ValueError:  # Without its text: int() quotes what it was given.
        raise DumpError(f"dump of {interface}, line 1: listen port or fwmark is not a number") from None
    return _with_peers(bare, rows)


def parse_dump(interface: str, text: str) -> Device:
    """Read the dump of one interface into its peers, one by one. Raises DumpError likewise."""
    table = parse_table(interface, text)
    return Device(
        interface=table.interface,
        public_key=table.public_key,
        listen_port=table.listen_port,
        firewall_mark=table.firewall_mark,
        peers=tuple(
            Peer(
                public_key=public_key,
                endpoint=None if endpoint == NONE else endpoint,
                allowed_ips=() if allowed_ips == NONE else tuple(allowed_ips.split(",")),
                latest_handshake=handshake or None,
                rx_bytes=rx,
                tx_bytes=tx,
                persistent_keepalive=None if keepalive == OFF else int(keepalive),
            )
            for public_key, endpoint, allowed_ips, handshake, rx, tx, keepalive in zip(
                table.public_keys,
                table.endpoints,
                table.allowed_ips,
                table.handshakes,
                table.rx_bytes,
                table.tx_bytes,
                table.keepalives,
                strict=True,
            )
        ),
    )


def _with_peers(bare: Table, rows: list[list[str]]) -> Table:
    for number, row in enumerate(rows, start=2):
        if len(row) != PEER_FIELDS:
            raise DumpError(
                f"dump of {bare.interface}, line {number}: {len(row)} fields, expected {PEER_FIELDS}"
            )
    if not rows:
        return bare
    keys, _preshared_keys, endpoints, allowed_ips, handshakes, rx, tx, keepalives = zip(*rows, strict=True)
    try:
        for written in set(keepalives) - {OFF}:
            int(written)
        return replace(
            bare,
            public_keys=keys,
            endpoints=endpoints,
            allowed_ips=allowed_ips,
            handshakes=tuple(map(int, handshakes)),
            rx_bytes=tuple(map(int, rx)),
            tx_bytes=tuple(map(int, tx)),
            keepalives=keepalives,
        )
    except ValueError:  # Without its text, for the same reason.
        raise DumpError(
            f"dump of {bare.interface}, line {_not_a_number(rows)}: a counter is not a number"
        ) from None


def _not_a_number(rows: list[list[str]]) -> int:
    """The first line with a counter that is none; found only when one is known to be there."""
    for number, row in enumerate(rows, start=2):
        try:
            for counter in (*row[4:7], "0" if row[7] == OFF else row[7]):
                int(counter)
        except ValueError:
            return number
    raise AssertionError("every counter is a number")
