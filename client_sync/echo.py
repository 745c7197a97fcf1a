"""ICMP echoes through the tunnel: the only proof that a worker carries traffic."""

import asyncio
import errno
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

ECHO_REQUEST, ECHO_REPLY = 8, 0
"""ICMP types (RFC 792)."""
ECHO_REQUEST_V6, ECHO_REPLY_V6 = 128, 129
"""ICMPv6 types (RFC 4443)."""
HEADER = struct.Struct("!BBHHH")
SEQUENCES = 65536
MOST_WAITING = 1024
"""Echoes whose answers are still taken; the oldest ones are given up."""
NOT_READABLE = (errno.EAGAIN, errno.EWOULDBLOCK)
Astray = Callable[[str, int, int], None]
"""Is told of a reply that is to nobody known here: its sender, identifier and sequence number."""


@dataclass(frozen=True, slots=True)
class _Family:
    family: socket.AddressFamily
    protocol: int
    request: int
    reply: int


_V4 = _Family(socket.AF_INET, socket.IPPROTO_ICMP, ECHO_REQUEST, ECHO_REPLY)
_V6 = _Family(socket.AF_INET6, socket.IPPROTO_ICMPV6, ECHO_REQUEST_V6, ECHO_REPLY_V6)


class Echo:
    """Sends echoes out of one interface and tells of the replies. Needs CAP_NET_RAW."""

    def __init__(self, interface: str, astray: Astray | None = None) -> None:
        """Name the interface; sockets are opened with the first echo of each family."""
        self._interface = interface
        self._astray = astray
        # Random, so that two programs on one host do not take each other's replies.
        self._identifier = int.from_bytes(os.urandom(2), "big")
        self._sequence = 0
        self._sockets: dict[int, socket.socket] = {}
        self._waiting: dict[tuple[str, int], Callable[[], None]] = {}

    def ask(self, address: str, heard: Callable[[], None]) -> bool:
        """Send one echo to the address; `heard` is called once if it is answered, however late.

        False: it could not be sent. No route, no interface: that is as good as no answer.
        """
        family = _V6 if ":" in address else _V4
        self._sequence = (self._sequence + 1) % SEQUENCES
        packet = _packet(family, self._identifier, self._sequence)
        try:
            self._socket(family).sendto(packet, (address, 0))
        except OSError as error:
            if error.errno == errno.ENODEV and family.family in self._sockets:
                # It is bound to an interface that is gone, even if there is a new one of that name.
                self._drop(family.family)
            return False
        if len(self._waiting) >= MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]
        self._waiting[address, self._sequence] = heard
        return True

    def take(self, address: str, identifier: int, sequence: int) -> None:
        """Take a reply, wherever it came in; one to others is nothing."""
        if identifier == self._identifier and (heard := self._waiting.pop((address, sequence), None)):
            heard()

    def close(self) -> None:
        """Close the sockets; nothing is heard any more."""
        self._waiting.clear()
        for family in tuple(self._sockets):
            self._drop(family)

    def _socket(self, family: _Family) -> socket.socket:
        known = self._sockets.get(family.family)
        if known is not None:
            return known
        opened = socket.socket(family.family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, family.protocol)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self._interface.encode() + b"\0")
        except OSError:
            opened.close()
            raise
        asyncio.get_running_loop().add_reader(opened, self._read, opened, family)
        self._sockets[family.family] = opened
        return opened

    def _drop(self, family: int) -> None:
        gone = self._sockets.pop(family)
        asyncio.get_running_loop().remove_reader(gone)
        gone.close()

    def _read(self, opened: socket.socket, family: _Family) -> None:
        while True:
            try:
                packet, sender = opened.recvfrom(2048)
            except OSError as error:
                if error.errno not in NOT_READABLE:
                    self._drop(
                        family.family
                    )  # The interface went away; a new socket is opened for the next echo.
                return
            reply = _reply(packet, family)
            if reply is None:
                continue
            take = self.take if reply[0] == self._identifier else self._astray
            if take is not None:
                take(sender[0].partition("%")[0], *reply)


def _packet(family: _Family, identifier: int, sequence: int) -> bytes:
    header = HEADER.pack(family.request, 0, 0, identifier, sequence)
    # The kernel fills in ICMPv6's checksum, because that covers the IPv6 header too (RFC 3542).
    checksum = 0 if family is _V6 else _checksum(header)
    return HEADER.pack(family.request, 0, checksum, identifier, sequence)


def _checksum(packet: bytes) -> int:
    """The internet checksum (RFC 1071)."""
    total: int = sum(word for (word,) in struct.iter_unpack("!H", packet))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def _reply(packet: bytes, family: _Family) -> tuple[int, int] | None:
    """Identifier and sequence number, if the packet is a reply. IPv4 hands out its header too."""
    body = packet[(packet[0] & 0x0F) * 4 :] if family is _V4 and packet else packet
    if len(body) < HEADER.size:
        return None
    kind, _, _, identifier, sequence = HEADER.unpack_from(body)
    return (identifier, sequence) if kind == family.reply else None
