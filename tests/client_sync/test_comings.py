"""Tests of client_sync/comings.py: what the kernel tells of interfaces, in its own bytes, and on real interfaces."""

import asyncio
import struct

import pytest

from client_sync.comings import came_up, comings
from tests.client_sync.own_network import in_own_network, ip

SOON = 0.05
LIMIT = 10.0


def told(index: int, flags: int, kind: int = 16, attributes: bytes = b"") -> bytes:
    """One message of rtnetlink(7)."""
    body = struct.pack("=BxHiII", 0, 1, index, flags, 0) + attributes
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body + b"\0" * (-len(body) % 4)


def test_only_interfaces_that_are_up_are_named() -> None:
    """One that goes, or is down, has not come; several in one message are each looked at, whatever is said of them."""
    said = told(7, 0x1043, attributes=b"?" * 9) + told(8, 0x1002) + told(9, 0x1043, kind=17) + told(10, 0x1)

    assert [*came_up(said)] == [7, 10]
    assert [*came_up(said[:20])] == []


@pytest.mark.system
def test_an_interface_that_comes_up_again_is_told_once_and_no_other() -> None:
    """However much the kernel says of it meanwhile."""

    async def story() -> list[str]:
        order = []

        async def listen(name: str) -> None:
            async for _ in comings(name, settled=SOON):
                order.append(name)
                heard.set()

        heard = asyncio.Event()
        listening = [asyncio.create_task(listen(name)) for name in ("here", "there")]
        await asyncio.sleep(0)  # Both listen from here on.
        for words in ("down", "up", "down", "up", "mtu 1400"):
            ip(f"link set here {words}")
        async with asyncio.timeout(LIMIT):
            await heard.wait()
        heard.clear()
        ip("link set there up")
        async with asyncio.timeout(LIMIT):
            await heard.wait()
        for one in listening:
            one.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
        return order

    def alone() -> list[str]:
        ip("link add here type bridge")
        ip("link add there type bridge")
        ip("link set here up")
        return asyncio.run(story())

    assert in_own_network(alone) == ["here", "there"]
