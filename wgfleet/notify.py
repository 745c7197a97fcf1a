"""Tells systemd how a daemon is: sd_notify(3), as much of it as is needed. Without systemd it does nothing."""

import asyncio
import logging
import os
import socket
from collections.abc import Mapping

from wgfleet.logs import say

log = logging.getLogger(__name__)
SEND_SECONDS = 1.0
"""systemd's queue is full for moments only, and a lost READY would have the daemon killed."""


class Supervisor:
    """Whoever started this process and wants to know."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """Look for it where it says so; `watchdog_seconds` is how long it bears silence, None: for ever."""
        address = environment.get("NOTIFY_SOCKET", "")
        # An abstract socket's name begins with a zero byte, which no environment can hold.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog_seconds = _watchdog(environment)

    def ready(self) -> None:
        """The daemon does its work from now on."""
        self._tell("READY=1")

    def stopping(self) -> None:
        """It is on its way out."""
        self._tell("STOPPING=1")

    def extend(self, seconds: float) -> None:
        """It may take so long from now until it has ended: longer than the unit's TimeoutStopSec, perhaps."""
        self._tell(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._tell(f"STATUS={' '.join(text.split())}")

    async def feed(self) -> None:
        """Show signs of life for as long as the event loop runs: one that hangs shows none, and is started again."""
        while self.watchdog_seconds is not None:
            self._tell("WATCHDOG=1")
            await asyncio.sleep(self.watchdog_seconds / 2)

    def _tell(self, what: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
                out.settimeout(SEND_SECONDS)
                out.sendto(what.encode(), self._address)
        except OSError as error:  # No reason to stop moving traffic.
            say(log, "supervisor not told", level=logging.WARNING, what=what, error=error)


def _watchdog(environment: Mapping[str, str]) -> float | None:
    """WATCHDOG_PID says whose watchdog it is: a child inherits the environment."""
    microseconds = environment.get("WATCHDOG_USEC", "")
    of = environment.get("WATCHDOG_PID", "")
    if not (microseconds.isdecimal() and int(microseconds) and of in ("", str(os.getpid()))):
        return None
    return int(microseconds) / 1e6
