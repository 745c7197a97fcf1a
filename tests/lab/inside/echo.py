"""UDP echo that adds the sender's address: behind workers that masquerade, it says which one carried the packet.

Arguments: address and port.
"""

import socket
import sys

LARGEST = 2048


def serve(address: str, port: int) -> None:
    """Answer for ever: the datagram as it came, then the four bytes of its source address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind((address, port))
        print("listening", flush=True)
        while True:
            datagram, source = door.recvfrom(LARGEST)
            answer(door, datagram + socket.inet_aton(source[0]), source)


def answer(door: socket.socket, datagram: bytes, source: tuple[str, int]) -> None:
    """Send it; a way back that is gone for the moment is the experiment, not an error."""
    try:
        door.sendto(datagram, source)
    except OSError as error:
        print(f"no way back to {source[0]}: {error}", flush=True)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
