"""Tells when an interface came up again: whoever took it down, or made it anew, took its routes and perhaps its peers along."""

import asyncio
import contextlib
import errno
import socket
import struct
from collections.abc import AsyncIterator, Iterator

SETTLED_SECONDS = 1.0
"""After the last news of it. wg-quick(8) adds its own routes in the moments after, and gives up where others were quicker."""
RTMGRP_LINK, RTM_NEWLINK, IFF_UP = 1, 16, 1
"""Of rtnetlink(7) and netdevice(7)."""
HEADER, LINK = struct.Struct("=IHHII"), struct.Struct("=BxHiII")
LONGEST = 1 << 16


async def comings(interface: str, *, settled: float = SETTLED_SECONDS) -> AsyncIterator[None]:
    """Once after each time that it was told to be up, when nothing more is told of it."""
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK
    with socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE) as door:
        door.bind((0, RTMGRP_LINK))
        due = False
        while True:
            try:
                async with asyncio.timeout(settled if due else None):
                    said = await asyncio.get_running_loop().sock_recv(door, LONGEST)
            except TimeoutError:
                due = False
                yield
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                due = True  # More was told than we could take: perhaps this, too.
            else:
                due = due or _index(interface) in {*came_up(said)}


def came_up(said: bytes) -> Iterator[int]:
    """The numbers of the interfaces that the kernel's message tells to be up."""
    while len(said) >= HEADER.size + LINK.size:
        length, kind, *_ = HEADER.unpack_from(said)
        _, _, index, flags, _ = LINK.unpack_from(said, HEADER.size)
        if kind == RTM_NEWLINK and flags & IFF_UP:
            yield index
        said = said[max((length + 3) & ~3, HEADER.size) :]


def _index(interface: str) -> int | None:
    with contextlib.suppress(OSError):
        return socket.if_nametoindex(interface)
    return None
