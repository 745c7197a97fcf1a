"""`wgfleet-sync health`: whether this worker should attract traffic by an address that others announce, too.

Fail-static: a daemon that is away said something last, and that counts; so does the last peer set while the receiver is away.
Only what is looked at here and now, the interfaces, can say otherwise then.
"""

import fcntl
import json
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from client_sync.watching import STALE_SECONDS

SIOCGIFFLAGS = 0x8913
IFF_UP = 0x1
"""linux/sockios.h, linux/if.h."""
REPEAT_SECONDS = 10.0
"""A watch says again what it said: whoever acts by it may have been started anew."""
NEVER_RUN = "there is no status yet: has `wgfleet-sync run` been started?"


@dataclass(frozen=True, slots=True)
class Health:
    """The answer."""

    attracts: bool
    reason: str
    stale_seconds: float | None = None
    """How long the daemon has been silent, if that is longer than it should."""

    @property
    def line(self) -> str:
        """For people and for `read` in a shell: the first word is the answer."""
        silent = "" if self.stale_seconds is None else "; the daemon is silent, what it said last counts"
        return f"{'attract' if self.attracts else 'withdraw'} {self.reason}{silent}"

    def says_as(self, other: "Health") -> bool:
        """Whether it is the same answer, however long the daemon has been silent."""
        return (self.attracts, self.reason) == (other.attracts, other.reason)

    def to_json(self) -> str:
        """For programs, on one line."""
        return json.dumps(asdict(self))


def verdict(status: Mapping[str, Any] | None, up: Mapping[str, bool], *, age: float) -> Health:
    """What follows from what the daemon said `age` seconds ago, and from which interfaces are up. Pure."""
    stale = age if status is not None and age > STALE_SECONDS["worker"] else None
    for interface, is_up in up.items():
        if not is_up:
            return Health(False, f"interface {interface} is not up", stale)
    if status is None:
        return Health(False, NEVER_RUN)
    if status["generation"] is None:
        return Health(False, "no client list was applied yet", stale)
    published = status["published"]
    if published is None:
        return Health(False, "no peer set was heard yet", stale)
    return Health(published["attracts"], published["reason"], stale)


def look(file: Path, interfaces: Sequence[str], *, now: Callable[[], float] = time.time) -> Health:
    """Look once.

    Raises:
        OSError, ValueError, KeyError: the daemon's status is there and cannot be read.

    """
    up = {interface: is_up(interface) for interface in interfaces}
    try:
        status, written = json.loads(file.read_text()), file.stat().st_mtime
    except FileNotFoundError:
        return verdict(None, up, age=0.0)
    return verdict(status, up, age=now() - written)


def watch(
    look: Callable[[], Health],
    show: Callable[[Health], None],
    complain: Callable[[str], None],
    *,
    interval: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Show the answer now, whenever it is another and every ten seconds.

    Looks every so many seconds, until it is interrupted.
    """
    shown = complaint = None
    again_at = 0.0
    while True:
        trouble = None
        try:
            health = look()
        except (OSError, ValueError, KeyError) as error:
            trouble = f"the status cannot be read: {error}"
        else:
            if shown is None or clock() >= again_at or not health.says_as(shown):
                show(health)
                shown, again_at = health, clock() + REPEAT_SECONDS
        if trouble is not None and trouble != complaint:
            complain(trouble)
        complaint = trouble
        sleep(interval)


def is_up(interface: str) -> bool:
    """Whether it is there and up, in this program's own network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        try:
            answer = fcntl.ioctl(door, SIOCGIFFLAGS, struct.pack("16sH14x", interface.encode(), 0))
        except OSError:  # There is no such device.
            return False
    return bool(struct.unpack_from("H", answer, 16)[0] & IFF_UP)
