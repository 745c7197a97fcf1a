"""Tests of the looks at an interface whose peers another program sets, too: client_sync/interface.py, layouts.py."""

import asyncio
from pathlib import Path

import pytest

from client_sync import layouts
from tests.client_sync.alone import NAME, Alone
from tests.client_sync.device import FakeDevice, interface, named
from tests.client_sync.samples import ALL, public_key, worker
from tests.client_sync.scene import SECONDS
from tests.wgfleet.model import owners
from wgfleet.diff import Kind, PeerChange

TWO = named(worker(1), worker(2))
STOLEN = PeerChange(Kind.UPDATE, public_key(2), allowed_ips=("10.99.0.2/32", ALL))
"""As `wg syncconf` with a file that says so."""
GONE = PeerChange(Kind.REMOVE, public_key(1))
ROAMED = PeerChange(Kind.UPDATE, public_key(1), endpoint="203.0.113.9:51820")


@pytest.mark.parametrize("done", [STOLEN, GONE])
def test_peers_that_others_changed_are_seen_and_set_again(done: PeerChange) -> None:
    """Else what they gave to a dead worker would stay there: the one that was chosen answers its probes."""
    fake = FakeDevice()
    wg0 = interface(fake)
    wg0.configure(TWO, "w1")
    assert wg0.is_as_set()
    fake.set_peers("wg0", (done,))

    assert not wg0.is_as_set()
    wg0.mend()

    assert owners(fake.device)[ALL] == public_key(1)
    assert fake.keys == {public_key(1), public_key(2)}


def test_a_worker_that_answers_from_elsewhere_is_left_there() -> None:
    """WireGuard itself has found it there."""
    fake = FakeDevice()
    wg0 = interface(fake)
    assert wg0.is_as_set(), "nothing was set"
    wg0.configure(TWO, "w1")

    fake.set_peers("wg0", (ROAMED,))

    assert wg0.is_as_set()


def test_routes_that_others_cleared_are_seen_and_set_again() -> None:
    """As systemd-networkd does when it is started again."""
    fake = FakeDevice()
    wg0 = interface(fake)
    wg0.configure(TWO, "w1")
    fake.cleared_routes = True

    assert not wg0.is_as_set()
    wg0.mend()

    assert fake.routes[0] == fake.routes[1]


def test_routes_are_others_where_they_are_not_managed() -> None:
    """Nothing is asked of them."""
    fake = FakeDevice(cleared_routes=True)
    wg0 = interface(fake, manage_routes=False)
    wg0.configure(TWO, "w1")

    assert wg0.is_as_set()


def test_an_interface_of_ours_is_looked_at_likewise(tmp_path: Path) -> None:
    """With its routes, every tenth time."""
    machine = Alone(tmp_path)
    own = machine.own()
    own.configure(TWO, "w1")
    machine.door.set_peers(NAME, (STOLEN,))

    for _ in range(10):
        own.mend()

    assert owners(machine.devices[NAME])[ALL] == public_key(1)


def test_an_interface_of_others_is_looked_at_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that cannot be read is looked at again."""
    monkeypatch.setattr(layouts, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(layouts, "SETTLED_SECONDS", 0.001)
    fake = FakeDevice()
    wg0 = interface(fake)
    wg0.configure(TWO, "w1")
    fake.set_peers("wg0", (STOLEN,))
    fake.broken = "no such device"
    reads: list[None] = []

    def mended() -> None:
        reads.append(None)
        if len(reads) == 3:
            fake.broken = ""

    fake.on_read = mended

    async def story() -> None:
        set_again = asyncio.Event()
        fake.on_set = set_again.set
        looking = asyncio.create_task(layouts._keep_looking(wg0))
        async with asyncio.timeout(SECONDS):
            await set_again.wait()
        looking.cancel()

    asyncio.run(story())
    assert owners(fake.device)[ALL] == public_key(1)
