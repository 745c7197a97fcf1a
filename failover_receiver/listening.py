"""The sockets that the receiver listens on, and how many files it may hold open."""

import logging
import resource
import socket
from contextlib import ExitStack
from typing import Any

from wgfleet.logs import say

log = logging.getLogger(__name__)

BACKLOG = 4096
"""Connections that wait to be accepted: a whole fleet comes back at once. The kernel takes somaxconn, if that is less."""

USER_TIMEOUT_MILLISECONDS = 30_000
"""The kernel breaks a connection whose other end has acknowledged nothing for so long, or had no room: three heartbeats.

Without it a client that vanished is written to for 15 minutes, and one that reads nothing is kept for ever.
"""

IDLE_SECONDS, INTERVAL_SECONDS, PROBES = 15, 5, 3
"""Keepalive, for connections on which nothing is written: one whose other end is gone lasts half a minute, too."""

OTHER_FILES = 512
"""Descriptors that streams must leave for webhooks, polls, the store and Alertmanager."""


class ListenError(ValueError):
    """What is listened on elsewhere, or an address that is not there yet: unlike a wrong configuration, time may mend it."""


def listen(address: str, port: int, *, shared: bool = False) -> list[socket.socket]:
    """A socket for each address that the name stands for, on the same port; `::` takes IPv4 as well.

    Shared, other processes of this user's may `join` it.

    Raises:
        ListenError: one cannot be listened on.

    """
    if shared:
        # Whoever joins is not refused: so it is seen first that nobody else is there.
        for one in _listen(address, port, shared=False):
            port = one.getsockname()[1]
            one.close()
    return _listen(address, port, shared=shared)


def join(address: str, port: int) -> list[socket.socket]:
    """Listen where another process does: the kernel gives each connection to one of them. Raises ListenError."""
    return _listen(address, port, shared=True)


def _listen(address: str, port: int, *, shared: bool) -> list[socket.socket]:
    with ExitStack() as undo:
        sockets: list[socket.socket] = []
        try:
            for family, where in _addresses(address, port):
                # A port that the system chooses is the same for all.
                chosen = (where[0], port or (sockets[0].getsockname()[1] if sockets else 0), *where[2:])
                sockets.append(undo.enter_context(_bound(family, chosen, shared=shared)))
        except OSError as error:
            raise ListenError(
                f"cannot listen on {address}:{port}: {error.strerror}; "
                "stop what is there, or set listen_address and listen_port"
            ) from None
        undo.pop_all()
    return sockets


def url(listener: socket.socket, *, tls: bool) -> str:
    """What to call it."""
    host, port = listener.getsockname()[:2]
    return f"http{'s' if tls else ''}://{f'[{host}]' if ':' in host else host}:{port}"


def most_streams() -> int:
    """Let this program open as many files as it may; so many of them can be streams."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    say(log, "streams are limited by the open files that are allowed", most_streams=most - OTHER_FILES)
    return max(1, most - OTHER_FILES)


def _addresses(address: str, port: int) -> list[tuple[int, tuple[Any, ...]]]:
    found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, where) for family, _, _, _, where in found))


def _bound(family: int, where: tuple[Any, ...], *, shared: bool) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, shared)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, where[0] != "::")
        # Whatever is accepted has these from its listener.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE_SECONDS)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, INTERVAL_SECONDS)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MILLISECONDS)
        listener.bind(where)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
