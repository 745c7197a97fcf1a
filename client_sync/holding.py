"""One daemon at a time has a state directory, and one has an interface: two would undo each other's work.

The directory by a lock on a file in it. The interface, which two configurations may name, by a socket with an abstract name:
as the interface itself it belongs to the network namespace, whatever files a daemon sees, and is gone with its process.
"""

import errno
import logging
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from client_sync.config import Config, LayoutKind
from wgfleet import holding
from wgfleet.logs import say

log = logging.getLogger(__name__)
LOCK = "lock"
"""In the state directory."""
RUNS = (
    "`wgfleet-sync run` runs with this configuration already: stop it first (`systemctl stop wgfleet-sync`)"
)


def held(state_directory: Path, *, otherwise: str = RUNS) -> AbstractContextManager[None]:
    """Hold it as long as this lasts; the folder is made if need be.

    Raises:
        ValueError: a daemon has it; the text is `otherwise`.

    """
    state_directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    return holding.held(state_directory / LOCK, otherwise=otherwise)


def runs_since(state_directory: Path) -> float | None:
    """When the daemon that runs was started, in UNIX seconds; None: none runs, or that cannot be told."""
    return holding.held_since(state_directory / LOCK)


def is_gone(state_directory: Path) -> bool:
    """Whether a daemon ran here and none does now; if that cannot be told, no."""
    return holding.is_free(state_directory / LOCK)


def interfaces_of(config: Config) -> tuple[str, ...]:
    """What a daemon changes; interfaces that it makes for each worker by what their names begin with."""
    if config.layout is LayoutKind.PER_WORKER:
        return (f"{config.interface}-*",)
    return tuple(one for one in (config.interface, config.shared_interface) if one is not None)


@contextmanager
def interfaces_held(interfaces: Iterable[str]) -> Iterator[None]:
    """Hold them in this network namespace as long as this lasts.

    Raises:
        ValueError: a daemon has one of them; the text says what to do.

    """
    with ExitStack() as all_of_them:
        for interface in interfaces:
            all_of_them.enter_context(_taken(interface))
        yield


def _taken(interface: str) -> socket.socket:
    """The socket; one without the name, where the name is that of somebody who is no daemon."""
    name = f"\0wgfleet-sync/{interface}"
    ours = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        ours.bind(name)
        ours.listen()  # Whoever finds the name taken is told whose it is.
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            ours.close()
            raise
        process, user = _holder(name)
        if user in {0, os.geteuid()}:
            ours.close()
            raise ValueError(
                f"interface: {interface} is held by another `wgfleet-sync run`, process {process}, with another "
                "configuration: both would change its peers. Stop that one first, or name another interface"
            ) from None
        # Any user may take a name: none of them shall keep the daemon from its work.
        say(log, "the interface's lock is held by somebody who runs no daemon", level=logging.WARNING,
            interface=interface, process=process, user=user)  # fmt: skip
    return ours


def _holder(name: str) -> tuple[int | None, int | None]:
    """Process and user of whoever listens there; None: that cannot be told, as of one who does not listen."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)
        try:
            asking.connect(name)
        except OSError:
            return None, None
        said = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    process, user, _ = struct.unpack("3i", said)
    return process, user
