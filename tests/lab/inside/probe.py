"""A datagram every few milliseconds to the echo service, and a record of each sending and each reply.

Arguments: address, port, milliseconds between packets, the file to append to. Each record goes out in one write, so
a reader of the file only ever has to leave an unfinished last record for later.
"""

import os
import select
import socket
import struct
import sys
import time

RECORD = struct.Struct("<cId4s")
"""Kind, sequence number, UNIX time in seconds, and for a reply the address the service saw."""
SENT, REPLY = b"s", b"r"
NOWHERE = b"\0\0\0\0"
SEQUENCE = struct.Struct("<I")


def run(address: str, port: int, interval: float, out: int) -> None:
    """Send for ever, on a fixed beat.

    The socket is not connected: each packet finds its own way and source address, as a new program's would, and an
    ICMP error about one packet does not spoil the next.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind(("", 0))  # One port for all, so that it is one flow to connection tracking.
        door.setblocking(False)
        sequence = 0
        due = time.monotonic()
        while True:
            send(door, sequence, (address, port), out)
            sequence += 1
            # After a stall of the machine the beat goes on from now: a burst would measure the stall again.
            due = max(due + interval, time.monotonic())
            receive_until(due, door, (address, port), out)


def send(door: socket.socket, sequence: int, to: tuple[str, int], out: int) -> None:
    """Record, then send: the reply must not come before the record. No way out is a lost packet."""
    os.write(out, RECORD.pack(SENT, sequence, time.time(), NOWHERE))
    try:
        door.sendto(SEQUENCE.pack(sequence), to)
    except OSError:
        return


def receive_until(due: float, door: socket.socket, of: tuple[str, int], out: int) -> None:
    """Record the replies that come before the next packet is due."""
    while (left := due - time.monotonic()) > 0:
        readable, _, _ = select.select([door], [], [], left)
        if not readable:
            return
        try:
            datagram, source = door.recvfrom(64)
        except OSError:
            continue
        if source == of and len(datagram) == SEQUENCE.size + len(NOWHERE):
            (sequence,) = SEQUENCE.unpack_from(datagram)
            os.write(out, RECORD.pack(REPLY, sequence, time.time(), datagram[SEQUENCE.size :]))


if __name__ == "__main__":
    record = os.open(sys.argv[4], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) / 1000, record)
