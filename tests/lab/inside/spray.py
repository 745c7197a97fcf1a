"""Sends what any program might, to one address of each family, for ever: a datagram, and the begin of a connection.

Arguments: milliseconds between rounds, a port, addresses. Each packet comes of a socket of its own, so it finds its way
and its source anew, and nothing that an earlier one met spoils it. Answers are not waited for.
"""

import contextlib
import socket
import sys
import time


def spray(port: int, addresses: list[str], interval: float) -> None:
    """For ever."""
    print("sending", flush=True)
    while True:
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as door:
                door.sendto(b"?", (address, port))
            with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as door:
                door.setblocking(False)
                door.connect((address, port))
        time.sleep(interval)


if __name__ == "__main__":
    spray(int(sys.argv[2]), sys.argv[3:], int(sys.argv[1]) / 1000)
