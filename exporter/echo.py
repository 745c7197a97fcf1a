"""ICMP echo packets, and the socket that carries them. No waiting here: that is egress.py's."""

import os
import socket
import struct
from dataclasses import dataclass

HEADER = struct.Struct("!BBHHH")
"""Type, code, checksum, identifier, sequence number (RFC 792, RFC 4443)."""
BODY_BYTES = 16
"""Chance enough that a reply with our body is a reply to us: the kernel hands every raw socket every reply, and a ping
socket's identifier is the kernel's choice."""


class EchoPermissionError(PermissionError):
    """We may not send echoes; the text says what to do."""


@dataclass(frozen=True, slots=True)
class _Kind:
    protocol: int
    request: int
    reply: int


KINDS = {
    socket.AF_INET: _Kind(socket.IPPROTO_ICMP, 8, 0),
    socket.AF_INET6: _Kind(socket.IPPROTO_ICMPV6, 128, 129),
}


class Echo:
    """One echo: its request, and how its reply is known."""

    def __init__(self, family: socket.AddressFamily) -> None:
        """Make up a body for it."""
        self._family = family
        self._kind = KINDS[family]
        self._body = os.urandom(BODY_BYTES)

    def request(self) -> bytes:
        """The packet. The kernel writes ICMPv6's checksum, which covers the IPv6 header too (RFC 3542)."""
        unsigned = HEADER.pack(self._kind.request, 0, 0, 0, 1) + self._body
        checksum = _checksum(unsigned) if self._family == socket.AF_INET else 0
        return HEADER.pack(self._kind.request, 0, checksum, 0, 1) + self._body

    def is_answered_by(self, packet: bytes, *, raw: bool) -> bool:
        """Whether the packet is this echo's reply. Only IPv4's raw sockets hand out the IP header as well."""
        if raw and self._family == socket.AF_INET:
            packet = packet[(packet[0] & 0x0F) * 4 :] if packet else b""
        return packet[:1] == bytes([self._kind.reply]) and packet[HEADER.size :] == self._body


def open_socket(family: socket.AddressFamily) -> socket.socket:
    """A ping socket where this process's group may have one, else a raw one.

    Raises:
        EchoPermissionError: neither is allowed.

    """
    protocol = KINDS[family].protocol
    try:
        return socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, protocol)
    except PermissionError:
        pass
    try:
        return socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
    except PermissionError:
        raise EchoPermissionError(
            "this process may not send ICMP echoes: have its group in the sysctl net.ipv4.ping_group_range, "
            "give it CAP_NET_RAW, or use a tcp: or dns: probe"
        ) from None


def _checksum(packet: bytes) -> int:
    """The internet checksum (RFC 1071) of an even number of bytes."""
    total: int = sum(word for (word,) in struct.iter_unpack("!H", packet))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF
