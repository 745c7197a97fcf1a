"""Text of `wg show <interface> dump` to a Device. Private and preshared keys are dropped here, unread."""

from wgfleet.device import Device, Peer

DEVICE_FIELDS = 4
PEER_FIELDS = 8


class DumpError(ValueError):
    """The text is not what `wg show <interface> dump` prints. Never quotes the text: it holds keys."""


def parse_dump(interface: str, text: str) -> Device:
    """Read the dump of one interface.

    The format is wg(8)'s: a line for the interface (private key, public key, listen port, fwmark), then one
    for each peer (public key, preshared key, endpoint, allowed IPs, latest handshake, rx, tx, keepalive),
    separated by tabs.
    """
    lines = text.splitlines()
    if not lines:
        raise DumpError(f"dump of {interface} is empty: an interface line was expected")
    first = lines[0].split("\t")
    if len(first) != DEVICE_FIELDS:
        raise DumpError(f"dump of {interface}, line 1: {len(first)} fields, expected {DEVICE_FIELDS}")
    _private_key, public_key, listen_port, firewall_mark = first
    try:
        return Device(
            interface=interface,
            public_key=None if public_key == "(none)" else public_key,
            listen_port=int(listen_port),
            firewall_mark=None if firewall_mark == "off" else int(firewall_mark, 0),
            peers=tuple(_peer(interface, number, line) for number, line in enumerate(lines[1:], start=2)),
        )
    except DumpError:
        raise
    except ValueError:  # Without its text: int() quotes what it was given.
        raise DumpError(f"dump of {interface}, line 1: listen port or fwmark is not a number") from None


def _peer(interface: str, number: int, line: str) -> Peer:
    fields = line.split("\t")
    if len(fields) != PEER_FIELDS:
        raise DumpError(f"dump of {interface}, line {number}: {len(fields)} fields, expected {PEER_FIELDS}")
    public_key, _preshared_key, endpoint, allowed_ips, handshake, rx, tx, keepalive = fields
    try:
        return Peer(
            public_key=public_key,
            endpoint=None if endpoint == "(none)" else endpoint,
            allowed_ips=() if allowed_ips == "(none)" else tuple(allowed_ips.split(",")),
            latest_handshake=int(handshake) or None,
            rx_bytes=int(rx),
            tx_bytes=int(tx),
            persistent_keepalive=None if keepalive == "off" else int(keepalive),
        )
    except ValueError:  # Without its text, for the same reason.
        raise DumpError(f"dump of {interface}, line {number}: a counter is not a number") from None
