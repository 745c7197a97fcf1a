"""TCP that says which worker carried a connection: a service that answers each line with the address it sees.

Arguments: `serve`, address, port; or `hold`, address, port, milliseconds between lines, and how many: one connection; 0, for ever.
"""

import contextlib
import itertools
import selectors
import socket
import sys
import time

LARGEST = 4096
PATIENCE_SECONDS = 20.0
"""A connection that brings nothing for so long is as good as broken."""


def serve(address: str, port: int) -> None:
    """Answer for ever."""
    with socket.create_server((address, port)) as door, selectors.DefaultSelector() as selector:
        selector.register(door, selectors.EVENT_READ)
        print("listening", flush=True)
        while True:
            for key, _ in selector.select():
                ready = key.fileobj
                if ready is door:
                    opened, _ = door.accept()
                    selector.register(opened, selectors.EVENT_READ)
                elif isinstance(ready, socket.socket) and not answer(ready):
                    selector.unregister(ready)
                    ready.close()


def answer(connection: socket.socket) -> bool:
    """Answer what came; False at its end."""
    with contextlib.suppress(OSError):
        if lines := connection.recv(LARGEST):
            connection.sendall(f"{connection.getpeername()[0]}\n".encode() * lines.count(b"\n"))
            return True
    return False


def hold(address: str, port: int, interval: float, lines: int) -> None:
    """Send a line, print the answer, and so on, until all are answered or the connection breaks."""
    try:
        with socket.create_connection((address, port), PATIENCE_SECONDS) as connection:
            answers = connection.makefile("r")
            for count in itertools.count(1) if lines == 0 else range(1, lines + 1):
                connection.sendall(b"?\n")
                via = answers.readline().strip()
                if not via:
                    print("ended", flush=True)
                    return
                print(f"{count} via {via}", flush=True)
                time.sleep(interval)
            print("done", flush=True)
    except OSError as error:
        print(f"broken: {error}", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        hold(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]) / 1000, int(sys.argv[5]))
