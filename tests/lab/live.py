"""One failover after the other on an interface that wg-quick made: by `wg set`, and what none may change; or each by a restart."""

import time
from collections.abc import Iterator
from functools import partial
from itertools import cycle, islice

from tests.lab.journal import Journal
from tests.lab.network import Network
from tests.lab.quick import QuickClient
from tests.lab.traffic import Outage
from tests.lab.waiting import wait_until

LIMIT_SECONDS = 60.0
REKEY_SECONDS = 115
"""WireGuard itself shakes hands anew two minutes after the last time; until shortly before, nobody else may have made it."""


def fail_over_live(net: Network, client: QuickClient, times: int) -> Iterator[Outage]:
    """Kill the worker that carries the traffic, so many times; w1 and w2 are the fleet's, w3 is a friend's.

    Raises AssertionError: something of others was touched.
    """
    workers, friend = [net.worker("w1"), net.worker("w2")], net.worker("w3")
    traffic = client.traffic()
    traffic.wait_until_flowing(via="w1")
    sync = client.daemon(workers)
    sync.start()
    said = Journal(sync.log)
    said.wait_for("changed", since=0.0, timeout=LIMIT_SECONDS)
    wait_until(lambda: client.reaches(friend.tunnel_address), LIMIT_SECONDS, "the friend to answer")
    before = kept(client)
    for old, new in islice(cycle([workers, workers[::-1]]), times):
        wait_until(partial(client.reaches, new.tunnel_address), LIMIT_SECONDS, f"{new.name} to answer")
        shaken = {one.name: _shaken(client, one.public_key) for one in (friend, new)}
        began = time.time()

        old.kill()

        said.wait_for("moved", since=began, timeout=LIMIT_SECONDS, worker=new.name, reason="silent")
        traffic.wait_until_flowing(LIMIT_SECONDS, via=new.name)
        assert kept(client) == before
        assert client.reaches(friend.tunnel_address)
        for one in (friend, new):
            anew = _shaken(client, one.public_key)
            assert anew == shaken[one.name] or anew - shaken[one.name] >= REKEY_SECONDS
        yield traffic.outage(began)
        old.restart()
    assert sync.terminate() == 0
    assert (client.home / "ups").read_text() == "up\n", "its hooks ran once, when it was brought up"


def fail_over_restarting(
    net: Network, client: QuickClient, times: int, *, kill_switch: bool
) -> Iterator[Outage]:
    """The same with `apply = "restart"`: after each the interface is another, restarted once.

    Raises AssertionError: it was restarted more than once, or never.
    """
    workers = [net.worker("w1"), net.worker("w2")]
    traffic = client.traffic()
    traffic.wait_until_flowing(via="w1")
    sync = client.daemon(workers, *client.restarts(kill_switch=kill_switch))
    sync.start()
    said = Journal(sync.log)
    said.wait_for("restarted", timeout=LIMIT_SECONDS)
    for old, new in islice(cycle([workers, workers[::-1]]), times):
        traffic.wait_until_flowing(LIMIT_SECONDS, via=old.name)
        wait_until(partial(client.reaches, new.tunnel_address), LIMIT_SECONDS, f"{new.name} to answer")
        before, began = client.index(), time.time()

        old.kill()

        said.wait_for("moved", since=began, timeout=LIMIT_SECONDS, worker=new.name, reason="silent")
        traffic.wait_until_flowing(LIMIT_SECONDS, via=new.name)
        assert client.index() != before
        assert len(said.lines("restarted", since=began)) == 1
        yield traffic.outage(began)
        old.restart()
    assert sync.terminate() == 0


def kept(client: QuickClient) -> tuple[object, ...]:
    """What belongs to whoever made the interface: number, key, port, mark, rules, file."""
    device = client.device()
    return (
        client.index(),
        device.public_key,
        device.listen_port,
        device.firewall_mark,
        client.rules(),
        client.conf.read_text(),
    )


def _shaken(client: QuickClient, key: str) -> int:
    """When the last handshake with a peer was; there must have been one."""
    peer = client.device().peer(key)
    assert peer is not None
    assert peer.latest_handshake
    return peer.latest_handshake
