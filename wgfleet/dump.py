"""What `wg show <interface> dump` prints, to values. Private and preshared keys are dropped here, unread.

A Table has the peers by columns, as whoever reads ten thousand of them each second wants them; a Device has them one by
one. The Device is made from the Table, so the format is known here once.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from wgfleet.device import Device, Peer

DEVICE_FIELDS = 4
PEER_FIELDS = 8
JOINT = PEER_FIELDS - 1
"""Every so many fields, the last of a line and the first of the next are one."""

NONE = b"(none)"
"""How wg(8) writes that there is no endpoint, or are no allowed IPs."""
OFF = b"off"
"""How wg(8) writes that there are no keepalives, or is no firewall mark."""
NEVER = b"0"
"""How wg(8) writes that there was no handshake."""

Column = Sequence[bytes]
"""One field of all peers, as wg(8) wrote it."""


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
    public_keys: Column = ()
    endpoints: Column = ()
    """Or NONE."""
    allowed_ips: Column = ()
    """Separated by commas, or NONE."""
    handshakes: Column = ()
    """UNIX time in whole seconds, or NEVER."""
    rx_bytes: Column = ()
    tx_bytes: Column = ()
    keepalives: Column = ()
    """Seconds, or OFF."""
    joints: Column = field(default=(), repr=False, compare=False)
    """By which the next reading knows that keys and keepalives are the same."""


def parse_table(interface: str, dump: bytes, before: Table | None = None) -> Table:
    """Read the dump of one interface; quicker with the last one, `before`.

    The format is wg(8)'s: a line for the interface (private key, public key, listen port, fwmark), then one
    for each peer (public key, preshared key, endpoint, allowed IPs, latest handshake, rx, tx, keepalive),
    separated by tabs.

    Raises:
        DumpError: it is not that.

    """
    head, _, rest = dump.partition(b"\n")
    first = head.split(b"\t")
    if not dump:
        raise DumpError(f"dump of {interface} is empty: an interface line was expected")
    if len(first) != DEVICE_FIELDS:
        raise DumpError(f"dump of {interface}, line 1: {len(first)} fields, expected {DEVICE_FIELDS}")
    _private_key, public_key, listen_port, firewall_mark = first
    try:
        bare = Table(
            interface=interface,
            public_key=None if public_key == NONE else public_key.decode(),
            listen_port=int(listen_port),
            firewall_mark=None if firewall_mark == OFF else int(firewall_mark, 0),
        )
    except ValueError:  # Without its text: int() quotes what it was given.
        raise DumpError(f"dump of {interface}, line 1: listen port or fwmark is not a number") from None
    return _with_peers(bare, rest, before) if rest else bare


def parse_dump(interface: str, dump: bytes) -> Device:
    """Read the dump of one interface into its peers, one by one. Raises DumpError likewise."""
    table = parse_table(interface, dump)
    return Device(
        interface=table.interface,
        public_key=table.public_key,
        listen_port=table.listen_port,
        firewall_mark=table.firewall_mark,
        peers=tuple(
            Peer(
                public_key=public_key.decode(),
                endpoint=None if endpoint == NONE else endpoint.decode(),
                allowed_ips=() if allowed_ips == NONE else tuple(allowed_ips.decode().split(",")),
                latest_handshake=int(handshake) or None,
                rx_bytes=int(rx),
                tx_bytes=int(tx),
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


def _with_peers(bare: Table, text: bytes, before: Table | None) -> Table:
    """All fields of all lines by one split, because line by line is slow.

    Lines are not split, so where one ends and the next begins are two fields in one, with the line's end between them:
    keepalive and public key. These joints seldom change. While they are as they were, so is the number of fields on each
    line; when they are not, each is looked at.
    """
    lines = text if text.endswith(b"\n") else text + b"\n"
    fields = lines.split(b"\t")
    joints = fields[::JOINT]
    if before is None or before.joints != joints:
        before = _with_keys(bare, joints, lines)
    endpoints, allowed_ips, handshakes, rx, tx = (fields[column::JOINT] for column in range(2, JOINT))
    # So that they can stand in quotes as they are.
    if not lines.isascii() or b'"' in lines or b"\\" in lines:
        raise DumpError(
            f"dump of {bare.interface}: a key, endpoint or network has characters that wg has not"
        )
    if not all(map(_are_numbers, (handshakes, rx, tx))):
        raise _fault(bare.interface, lines)
    return replace(
        before,
        public_key=bare.public_key,
        listen_port=bare.listen_port,
        firewall_mark=bare.firewall_mark,
        endpoints=endpoints,
        allowed_ips=allowed_ips,
        handshakes=handshakes,
        rx_bytes=rx,
        tx_bytes=tx,
    )


def _with_keys(bare: Table, joints: Column, lines: bytes) -> Table:
    """What the joints say: public keys and keepalives."""
    ends = [joint.count(b"\n") for joint in joints]
    keys_and_keepalives = b"\n".join(joints).split(b"\n")
    keys, keepalives = keys_and_keepalives[:-1:2], keys_and_keepalives[1::2]
    whole = ends == [0, *[1] * lines.count(b"\n")]
    if not whole or not _are_numbers(set(keepalives) - {OFF}):
        raise _fault(bare.interface, lines)
    return replace(bare, public_keys=keys, keepalives=keepalives, joints=joints)


def _are_numbers(texts: Collection[bytes]) -> bool:
    together = b"".join(texts)
    return not texts or (together.isdigit() and b"" not in texts)


def _fault(interface: str, lines: bytes) -> DumpError:
    """What is wrong with the first line that is; looked for only when one is known to be there."""
    for number, line in enumerate(lines.split(b"\n"), start=2):
        row = line.split(b"\t")
        if len(row) != PEER_FIELDS:
            return DumpError(f"dump of {interface}, line {number}: {len(row)} fields, expected {PEER_FIELDS}")
        if not all(field.isdigit() for field in (*row[4:7], NEVER if row[7] == OFF else row[7])):
            return DumpError(f"dump of {interface}, line {number}: a counter is not a number")
    return DumpError(f"dump of {interface}: its lines do not end as wg's do")
