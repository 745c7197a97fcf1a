"""Tests of client_sync/worker/status.py: the whole of what is told."""

import asyncio
from pathlib import Path

from client_sync.cache import ClientLists, ManagedPeers
from client_sync.worker.driver import Refused, Worker
from client_sync.worker.status import ack, describe, headline, shown
from client_sync.worker.tunnel import Tunnel
from tests.client_sync.samples import FLEET, public_key
from tests.client_sync.worker.samples import MONITORING, FakeInterface, client, client_list, peer, signed
from wgfleet.signing import Signer, Verifier

SIGNER = Signer.generate()


def worker(directory: Path, fake: FakeInterface) -> Worker:
    """A worker that has heard nothing yet."""
    return Worker(
        ClientLists(directory, Verifier([SIGNER.public_text]), FLEET),
        Tunnel("wg0", ManagedPeers(directory), fake.door),
        around=lambda _clients: None,
        changed=lambda: None,
    )


def test_before_the_first_list_nothing_is_told_to_the_receiver(tmp_path: Path) -> None:
    """And people see that there is none."""
    one = worker(tmp_path, FakeInterface())

    assert ack(one) == {}
    assert headline(describe(one, None)) == "client list not applied yet, no receiver reached"
    assert shown(describe(one, None)) == (
        "client list  (none applied yet)\nreceiver     (connecting)\npeers        0 ours, 0 of others, on wg0"
    )


def test_everything_that_is_wrong_is_told(tmp_path: Path) -> None:
    """For programs as values, for people last, where it is seen; the receiver hears what is applied."""
    fake = FakeInterface()
    fake.add(MONITORING, peer(9))
    one = worker(tmp_path, fake)
    clients = client_list(client(1, *MONITORING.allowed_ips), revoked=[9])
    asyncio.run(one.document(signed(SIGNER, clients)))
    one.refused = Refused((1, 2), "too many")
    one.error_around = "no route"

    status = describe(one, "https://mon.example.com", remarks=["a file lies open"])

    assert ack(one) == {"client_list": {"epoch": 1, "generation": 1}}
    withheld = f"10.99.0.250/32 of client c1 stays with peer {MONITORING.public_key}, which others added"
    assert status == {
        "role": "worker",
        "receiver": "https://mon.example.com",
        "trouble": {},
        "interface": "wg0",
        "shared_interface": None,
        "epoch": 1,
        "generation": 1,
        "fresh_until": 4600.0,
        "clients": 1,
        "peers": {"ours": 1, "others": 2},
        "withheld": [withheld],
        "cut_off": [public_key(9)],
        "refused": {"epoch": 1, "generation": 2, "reason": "too many"},
        "hook": None,
        "published": None,
        "remarks": ["a file lies open"],
        "error": "no route",
    }
    assert headline(status) == (
        "client list 1.1, 1 client, from https://mon.example.com; REFUSED a list; ERROR"
    )
    assert shown(status).splitlines() == [
        "client list  1.1, 1 client",
        "receiver     https://mon.example.com",
        "peers        1 ours, 2 of others, on wg0",
        f"withheld     {withheld}",
        f"cut off      peer {public_key(9)}: revoked, but added by others: take it out of the interface's configuration",
        "remark       a file lies open",
        "REFUSED      list 1.2: too many",
        "ERROR        no route",
    ]


def test_what_the_client_hook_did_and_where_it_fails_is_told(tmp_path: Path) -> None:
    """A client by its name, with the reason; of many, how many more."""
    failure = {"client": "ann", "verb": "active", "tries": 3, "reason": "it ended with 2: no such device"}
    hook = {"active": 7, "waiting": 1, "running": 1, "failing": 3, "failures": [failure]}

    lines = shown(describe(worker(tmp_path, FakeInterface()), None, hook)).splitlines()

    assert lines[3:] == [
        "client hook  ran for 7 active clients; 2 to come",
        "HOOK FAILS   `active ann`, tried 3 times: it ended with 2: no such device",
        "HOOK FAILS   for 2 clients more",
    ]


def test_what_the_peer_set_says_of_the_worker_is_told(tmp_path: Path) -> None:
    """To people in one line; with which number of it."""
    published = {"epoch": 1, "generation": 7, "reason": "draining (drained)", "attracts": False}

    lines = shown(describe(worker(tmp_path, FakeInterface()), None, None, published)).splitlines()

    assert lines[3:] == ["published    draining (drained), peer set 1.7"]
