"""Takes datagrams and answers none. Without it, the kernel itself would say that nobody is there.

Arguments: address and port.
"""

import socket
import sys


def swallow(address: str, port: int) -> None:
    """For ever."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind((address, port))
        print("listening", flush=True)
        while True:
            door.recv(65536)


if __name__ == "__main__":
    swallow(sys.argv[1], int(sys.argv[2]))
