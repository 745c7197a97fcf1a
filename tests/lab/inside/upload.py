"""An upload of one way: datagrams to an address where nobody answers, at so many bits per second.

Arguments: address, port, bits per second, bytes in each datagram.
"""

import contextlib
import socket
import sys
import time


def run(address: str, port: int, rate: float, size: int) -> None:
    """Send for ever, on a fixed beat."""
    due = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        while True:
            with contextlib.suppress(OSError):  # No way out for the moment: the experiment goes on.
                door.sendto(bytes(size), (address, port))
            due = max(due + 8 * size / rate, time.monotonic() - 0.02)  # A stall is not made good by a burst.
            time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
