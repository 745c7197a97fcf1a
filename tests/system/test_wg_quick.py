"""An interface that others own: wg-quick made it, its file has hooks and a peer of somebody else's, and all that stays."""

from collections.abc import Iterator

import pytest

from tests.lab.live import fail_over_live
from tests.lab.network import Network
from tests.lab.quick import QuickClient, network

pytestmark = pytest.mark.system
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
