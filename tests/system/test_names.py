"""Endpoints that are names, with name servers that are away or were never there, on real WireGuard."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from client_sync.cache import Documents
from tests.lab.journal import Journal
from tests.lab.network import Network
from tests.lab.offline import SIGNER, daemon
from tests.lab.own import OwnClient
from tests.lab.perworker import FLEET, document
from tests.lab.waiting import wait_until
from wgfleet.peerset import PeerSet
from wgfleet.signing import Verifier

pytestmark = pytest.mark.system
LIMIT = 30.0
AWAY = "203.0.113.53"
"""Nothing answers there, and nothing says so."""


@pytest.fixture
def net() -> Iterator[Network]:
    """Three workers, and a client whose only name server is away."""
    with Network(3, 1, client=OwnClient) as up:
        client = up.client("c1")
        client.run(
            "/bin/sh",
            "-ec",
            f"echo nameserver {AWAY} > resolv.conf; mount --bind resolv.conf /etc/resolv.conf",
        )
        yield up


def keep(client: OwnClient, listed: PeerSet) -> None:
    """What its daemon finds when it starts."""
    documents = Documents(client.home / "state", Verifier([SIGNER.public_text]), FLEET)
    documents.take(SIGNER.sign(listed.to_bytes()))
    documents.keep()


def test_a_failover_waits_for_no_name_server(net: Network) -> None:
    """A worker's name was never found: the others are used, and changed, as if it were not there."""
    client = net.client("c1")
    assert isinstance(client, OwnClient)
    sync = daemon(client)
    listed = document(net.workers, {})
    *others, nameless = listed.workers
    nameless = replace(nameless, endpoints=("fra3.example.com:51820",))
    keep(client, replace(listed, workers=(*others, nameless)))
    sync.start()
    Journal(sync.log).wait_for("moved", timeout=LIMIT, worker="w1")
    traffic = client.traffic()
    traffic.wait_until_flowing(via="w1")

    net.worker("w1").kill()

    wait_until(lambda: client.active() == "w2", LIMIT, "the failover")
    traffic.wait_until_flowing(via="w2")


def test_the_only_worker_is_found_at_its_other_endpoint(net: Network) -> None:
    """As where the first one is of IPv6, and this network has none."""
    client = net.client("c1")
    assert isinstance(client, OwnClient)
    sync = daemon(client)
    listed = document(net.workers[:1], {})
    (only,) = listed.workers
    keep(client, replace(listed, workers=(replace(only, endpoints=(f"{AWAY}:51820", *only.endpoints)),)))

    sync.start()

    client.traffic().wait_until_flowing(LIMIT, via="w1")
