"""Sends one datagram with a firewall mark: by the way that only the tunnels' own packets take.

Arguments: address, port, mark.
"""

import socket
import sys

if __name__ == "__main__":
    family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, int(sys.argv[3]))
        door.sendto(b"!", (sys.argv[1], int(sys.argv[2])))
