"""A door on this machine's loopback into a host of the lab, so that a browser or curl gets in."""

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass

from tests.lab.inside import command
from tests.lab.process import Process

LOOPBACK = "127.0.0.1"


class PortTakenError(RuntimeError):
    """Another program has the port; the text says which port and what to do."""


@dataclass(frozen=True, slots=True)
class Forward:
    """An open door. Closes with the lab, or when its program is killed."""

    port: int
    process: Process

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"


def open_forward(spawn: Callable[..., Process], port: int, *, local_port: int, address: str) -> Forward:
    """Open a door to `address:port` of the host whose `spawn` this is.

    The listening socket is made here and handed on: a socket stays in the namespace it was made in.
    """
    with listen(local_port) as listener:
        number = listener.fileno()
        outside: int = listener.getsockname()[1]
        carrier = spawn(
            f"forward-{outside}",
            command("forward", number, address, port),
            ready="listening",
            pass_fds=[number],
        )
    return Forward(outside, carrier)


def listen(port: int) -> socket.socket:
    """A listening socket on loopback; port 0 is any free one.

    Raises:
        PortTakenError: another program has it.

    """
    try:
        return socket.create_server((LOOPBACK, port), backlog=128)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise PortTakenError(
            f"port {port} of {LOOPBACK} is taken by another program: end that "
            f"(`ss --listening --tcp --processes 'sport = :{port}'` shows it), or choose another port"
        ) from None
