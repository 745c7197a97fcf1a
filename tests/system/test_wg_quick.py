"""An interface that others own: wg-quick made it, its file has hooks and a peer of somebody else's, and all that stays."""

import time
from collections.abc import Iterator

import pytest

from tests.lab.capture import Capture
from tests.lab.journal import Journal
from tests.lab.live import fail_over_live
from tests.lab.network import Network
from tests.lab.quick import QuickClient, network
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.system
LIMIT = 60.0
FAILOVERS = 3
"""`make bench NAME=live RUNS=20` does more of them."""


@pytest.fixture
def net() -> Iterator[Network]:
    """Nothing of the fleet's on the client yet."""
    with network() as up:
        yield up


@pytest.fixture
def client(net: Network) -> QuickClient:
    """The client, its interface up."""
    found = net.client("c1")
    assert isinstance(found, QuickClient)
    found.bring_up(net.worker("w1"), net.worker("w3"))
    return found


def test_failovers_leave_everything_of_others_as_it_was(net: Network, client: QuickClient) -> None:
    """Number, key, port, mark, rules, file, the friend's session; and the traffic goes on after each."""
    assert len([*fail_over_live(net, client, FAILOVERS)]) == FAILOVERS


def test_with_restarts_a_failover_is_written_into_the_file_and_nothing_leaves_in_clear_meanwhile(
    net: Network, client: QuickClient
) -> None:
    """The hooks ran twice, the friend's peer is there, and so are the rules; the switch holds between down and up."""
    capture = Capture(net, client)
    sync = client.daemon([net.worker("w1"), net.worker("w2")], *client.restarts(kill_switch=True))
    traffic = client.traffic()
    traffic.wait_until_flowing(via="w1")
    sync.start()
    said = Journal(sync.log)
    said.wait_for("restarted", timeout=LIMIT)
    traffic.wait_until_flowing(LIMIT, via="w1")
    wait_until(lambda: client.reaches(net.worker("w2").tunnel_address), LIMIT, "w2 to answer")
    before, began = client.device(), time.time()

    net.worker("w1").kill()

    said.wait_for("moved", since=began, timeout=LIMIT, worker="w2")
    traffic.wait_until_flowing(LIMIT, via="w2")
    after = client.device()
    assert capture.in_clear() == []
    assert (after.public_key, after.listen_port) == (before.public_key, before.listen_port)
    assert len(said.lines("restarted", since=began)) == 1
    assert "table inet mine" in client.rules()
    assert "lookup main" in client.rules()
    # Its first handshake had no mark yet, and was held back: WireGuard tries again after 5 s.
    wait_until(lambda: client.reaches(net.worker("w3").tunnel_address), LIMIT, "the friend to answer")
    assert "# A friend's.\n" in client.conf.read_text()
    assert "PostUp = nft add table inet mine" in client.conf.read_text()
    assert sync.terminate() == 0
