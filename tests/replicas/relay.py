"""What stands between one receiver and PostgreSQL, so that a test can cut that one off: bytes stop, connections stay."""

import socket
import threading
from contextlib import suppress
from typing import Self

CHUNK = 65536


class Relay:
    """Listens on a port of its own. Ends with its `with`."""

    def __init__(self, port: int) -> None:
        """Lead to this port."""
        self._to = port
        self._flows = threading.Event()
        self._flows.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._ends: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        """It leads already."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Lead nowhere any more."""
        self._flows.set()
        for end in [self._listener, *self._ends]:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def cut(self) -> None:
        """Let no byte through, either way; nobody is told."""
        self._flows.clear()

    def mend(self) -> None:
        """Let them through again, those that waited first."""
        self._flows.set()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        self._flows.wait()
        try:
            far = socket.create_connection(("127.0.0.1", self._to))
        except OSError:
            near.close()
            return
        self._ends += [near, far]
        back = threading.Thread(target=self._pump, args=(far, near), daemon=True)
        back.start()
        self._pump(near, far)
        back.join()
        near.close()
        far.close()

    def _pump(self, whence: socket.socket, whither: socket.socket) -> None:
        with suppress(OSError):
            while received := whence.recv(CHUNK):
                self._flows.wait()
                whither.sendall(received)
        with suppress(OSError):
            whither.shutdown(socket.SHUT_WR)
