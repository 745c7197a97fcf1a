"""Writes down every packet that comes in by an interface, a line each: what was really on the wire, whoever sent it.

Argument: the interface. A line is `time protocol source destination port`: of IPv4 and IPv6, with the protocol's number,
and as the port what it is sent to, of ICMP its type; 0 for what has neither. Whatever else an Ethernet carries is left
out (ARP, bridges' own).
"""

import socket
import struct
import sys
import time

ALL, IPV4, IPV6 = 0x0003, 0x0800, 0x86DD
"""Of ethernet(7): everything; and the two that are written down."""
OUTGOING = 4
"""Of packet(7): what leaves by the interface is not for us."""
TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
HOP_BY_HOP = 0
"""What stands in front of the ICMPv6 of multicast listeners."""
LONGEST = 262144
MOST_BYTES = 16 << 20
"""Of what may wait for us: a busy machine must not make us overlook anything."""


def capture(interface: str) -> None:
    """For ever."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL)) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MOST_BYTES)
        door.bind((interface, ALL))
        print("listening", flush=True)
        while True:
            packet, (_, kind, direction, *_) = door.recvfrom(LONGEST)
            if direction != OUTGOING and (said := described(kind, packet)):
                print(f"{time.time():.6f} {said}", flush=True)


def described(kind: int, packet: bytes) -> str | None:
    """One packet in words; None for what is neither IPv4 nor IPv6."""
    if kind == IPV4:
        protocol, length = packet[9], (packet[0] & 15) * 4
        fragment = struct.unpack_from("!H", packet, 6)[0] & 0x1FFF
        family, source, to = socket.AF_INET, packet[12:16], packet[16:20]
        port = 0 if fragment else port_of(protocol, packet[length:])
    elif kind == IPV6:
        protocol, rest = packet[6], packet[40:]
        if protocol == HOP_BY_HOP and rest:
            protocol, rest = rest[0], rest[(rest[1] + 1) * 8 :]
        family, source, to = socket.AF_INET6, packet[8:24], packet[24:40]
        port = port_of(protocol, rest)
    else:
        return None
    return f"{protocol} {socket.inet_ntop(family, source)} {socket.inet_ntop(family, to)} {port}"


def port_of(protocol: int, payload: bytes) -> int:
    """What it is sent to: a port, or ICMP's type."""
    if protocol in {TCP, UDP} and len(payload) >= 4:
        return int(struct.unpack_from("!H", payload, 2)[0])
    return payload[0] if protocol in {ICMP, ICMPV6} and payload else 0


if __name__ == "__main__":
    capture(sys.argv[1])
