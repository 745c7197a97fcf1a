"""Steps into another network namespace, where the interfaces are that shall be shown.

Needs CAP_SYS_ADMIN. The whole thread steps over, and every thread that it begins afterwards; a socket that was opened
before stays where it was opened, so the page is served here and read there.
"""

import ctypes
import os
from pathlib import Path

CLONE_NEWNET = 0x40000000
"""linux/sched.h."""
NAMED = Path("/run/netns")
"""Where `ip netns` keeps those that have names."""


class NetnsError(RuntimeError):
    """There is no such namespace, or no right to enter it; the text says what to do."""


def enter(name: str) -> None:
    """Step into the namespace of this name, or of this path as /proc/123/ns/net.

    Raises:
        NetnsError: it cannot be done.

    """
    path = NAMED / name  # An absolute path stays what it is.
    try:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise NetnsError(
            f"network namespace {name!r}: cannot open {path}: {error.strerror}; `ip netns` lists them"
        ) from None
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(opened, CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise NetnsError(
                f"network namespace {name!r}: cannot enter {path}: {os.strerror(number)}; "
                "it must be a network namespace, and the exporter needs CAP_SYS_ADMIN"
            )
    finally:
        os.close(opened)
