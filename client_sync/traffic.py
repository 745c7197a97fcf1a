"""Whether traffic goes out of our interfaces and whether any comes in: by the kernel's counters, less our own probes."""

import os
from collections.abc import Callable, Collection

from client_sync.state import Counted

Packets = tuple[int, int]
"""Received and sent, since the interfaces were made."""
NETWORK_DEVICES = "/proc/thread-self/net/dev"
"""Of the network namespace of whoever opens it; /sys has those of the one it was mounted in."""
MOST_BYTES = 1 << 18


class Counters:
    """The packets of all interfaces that are ours. The file is opened once: it is read ten times a second."""

    def __init__(self, interfaces: Callable[[], Collection[str]]) -> None:
        """Say which they are; they may come and go."""
        self._interfaces = interfaces
        self._file = os.open(NETWORK_DEVICES, os.O_RDONLY | os.O_CLOEXEC)

    def __call__(self) -> Packets | None:
        """As they are now; None if there is no such interface."""
        return packets(os.pread(self._file, MOST_BYTES, 0).decode(errors="replace"), self._interfaces())

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def packets(table: str, interfaces: Collection[str]) -> Packets | None:
    """What the table (proc(5), /proc/net/dev) says of the interfaces together."""
    found = []
    for line in table.splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() in interfaces:
            fields = numbers.split()
            found.append((int(fields[1]), int(fields[9])))
    return (sum(one for one, _ in found), sum(one for _, one in found)) if found else None


class Traffic:
    """Looks at the counters now and then."""

    def __init__(self, read: Callable[[], Packets | None]) -> None:
        """Take them from here."""
        self._read = read
        self._probes = self._answers = 0
        self._before: Packets | None = None

    def probed(self) -> None:
        """One of the packets that went out is ours."""
        self._probes += 1

    def answered(self) -> None:
        """One of those that came in is."""
        self._answers += 1

    def look(self) -> Counted | None:
        """What has changed since the last look; None if that cannot be said."""
        read, before = self._read(), self._before
        if read is None:
            self._before = None
            return None
        received, sent = read[0] - self._answers, read[1] - self._probes
        self._before = received, sent
        return None if before is None else Counted(sent=sent > before[1], received=received > before[0])
