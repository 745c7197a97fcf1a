"""One ICMP echo; the exit status says whether it came back.

Arguments: address, seconds to wait, firewall mark.
"""

import os
import select
import socket
import struct
import sys
import time

HEADER = struct.Struct("!BBHHH")
"""Type, code, checksum, identifier, sequence number."""
ECHO, ECHO_REPLY = 8, 0


def request(identifier: int) -> bytes:
    """An echo request without a body."""
    return HEADER.pack(ECHO, 0, checksum(HEADER.pack(ECHO, 0, 0, identifier, 1)), identifier, 1)


def checksum(message: bytes) -> int:
    """RFC 1071's sum, for an even number of bytes."""
    total = sum(int.from_bytes(message[at : at + 2]) for at in range(0, len(message), 2))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def answers(address: str, seconds: float, mark: int) -> bool:
    """Send it and wait. The socket hears all ICMP of this machine, so the identifier tells ours."""
    identifier = os.getpid() & 0xFFFF
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        try:
            door.sendto(request(identifier), (address, 0))
        except OSError:  # No way there.
            return False
        deadline = time.monotonic() + seconds
        while select.select([door], [], [], max(0.0, deadline - time.monotonic()))[0]:
            packet = door.recv(1024)
            kind, _, _, of, _ = HEADER.unpack_from(packet, (packet[0] & 15) * 4)
            if (kind, of) == (ECHO_REPLY, identifier):
                return True
    return False


if __name__ == "__main__":
    sys.exit(not answers(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
