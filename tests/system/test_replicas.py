"""Three receivers on one PostgreSQL, on real WireGuard: whichever of them is hurt, the alert's way goes on by the others."""

import hashlib
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.lab.fleet import Fleet, Profile
from tests.lab.traffic import Traffic
from tests.lab.waiting import wait_until
from tests.system.test_control_plane import alert

pytestmark = pytest.mark.system
LIMIT = 60.0
MANY = 3


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """Whose Alertmanager and clients name all three, and whose clients wait for the alert."""
    with Fleet(Profile(interval="1s", hold_down=1.0, hold_down_factor=1.0, receivers=MANY)) as up:
        yield up


@pytest.fixture(scope="module")
def doors(fleet: Fleet) -> list[str]:
    """Where each receiver is reached from here."""
    host = fleet.network.monitoring
    ports = [int(url.rpartition(":")[2]) for url in fleet.receiver_urls]
    return [host.forward(port, address=host.address).url for port in ports]


def ask(fleet: Fleet, door: str, method: str, path: str, *, body: object = None) -> httpx.Response:
    """One receiver's answer to an operator."""
    token = (fleet.network.directory / "receiver" / "operator.token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.request(method, f"{door}{path}", json=body, headers=headers, timeout=LIMIT, trust_env=False)


def followed(fleet: Fleet) -> dict[str, int]:
    """Which receiver each client follows, by its own log."""
    urls = fleet.receiver_urls
    lines = {name: fleet.journal(sync).lines("following")[-1] for name, sync in fleet.sync.items()}
    return {name: urls.index(line["receiver"]) for name, line in lines.items()}


def leave(fleet: Fleet, worker: str, traffics: dict[str, Traffic]) -> None:
    """A worker dies, and all of its clients come by the alert's way to another one; then it is well again."""
    users, killed = fleet.users(worker), time.time()
    fleet.network.worker(worker).kill()
    for client in users:
        move = fleet.journal(fleet.sync[client]).wait_for("moved", since=killed, timeout=LIMIT, before=worker)
        traffics[client].wait_until_flowing(LIMIT, via=str(move["worker"]))
    assert fleet.users(worker) == []
    assert fleet.state(worker) == "down"
    fleet.network.worker(worker).restart()


def in_order(fleet: Fleet) -> None:
    """The history's numbers never go back, nor do those that any client was ever given; each was given once."""
    events = fleet.api.call("GET", "/v1/events", limit=10000)
    numbers = [(one["epoch"], one["generation"]) for one in events if one["what"] == "decided"]
    assert numbers == sorted(numbers)
    for sync in fleet.sync.values():
        received = [(line["epoch"], line["generation"]) for line in fleet.journal(sync).lines("received")]
        assert received == sorted(set(received))
    published = [
        (line["epoch"], line["generation"])
        for receiver in fleet.receivers
        for line in fleet.journal(receiver).lines("published")
    ]
    assert len(published) == len(set(published)), "two receivers gave the same number"


def shown(fleet: Fleet, doors: list[str]) -> list[str]:
    """The document that each receiver gives out, by its digest."""
    answers = [ask(fleet, door, "GET", "/v1/peer-set") for door in doors]
    return [hashlib.sha256(answer.content).hexdigest() for answer in answers if answer.status_code == 200]


def test_a_worker_that_dies_with_the_receiver_that_clients_follow_is_left(
    fleet: Fleet, doors: list[str], traffics: dict[str, Traffic]
) -> None:
    """They go on to the next one and hear there what any of the others has decided."""
    wait_until(lambda: set(followed(fleet).values()) == {0}, LIMIT, "all to follow the first")
    worker = fleet.active("c1")
    assert worker
    fleet.receivers[0].kill()

    leave(fleet, worker, traffics)

    assert 0 not in followed(fleet).values()
    fleet.receivers[0].start()
    fleet.wait_until_serving()
    wait_until(lambda: len(set(shown(fleet, doors))) == 1, LIMIT, "the one that is back to show the newest")
    in_order(fleet)


def test_a_worker_that_dies_while_a_receiver_is_frozen_is_left(
    fleet: Fleet, doors: list[str], traffics: dict[str, Traffic]
) -> None:
    """At once by whoever follows another, else once its heartbeats are missed; when it goes on it says nothing older."""
    worker = fleet.active("c1")
    assert worker
    frozen = fleet.receivers[0]
    frozen.freeze()

    leave(fleet, worker, traffics)
    before, thawed = shown(fleet, doors[1:]), time.time()
    frozen.thaw()

    fleet.wait_until_serving()
    wait_until(lambda: len(set(shown(fleet, doors))) == 1, LIMIT, "the one that goes on to show the newest")
    assert before
    assert fleet.journal(frozen).lines("decided", since=thawed, worker=worker, after="down") == []
    in_order(fleet)


def test_without_postgres_everything_stays_as_it_is(
    fleet: Fleet, doors: list[str], traffics: dict[str, Traffic]
) -> None:
    """Webhooks are to be sent again, documents are given out, traffic flows; with it back, all goes on where it was."""
    assert fleet.postgres is not None
    busy = alert("w1", "WireGuardWorkerOverloaded", "spare")
    document, stopped = shown(fleet, doors), time.time()
    fleet.postgres.stop()
    try:
        answers = [ask(fleet, door, "POST", "/v1/alerts", body=busy) for door in doors]
        assert [answer.status_code for answer in answers] == [503] * MANY
        assert all("PostgreSQL at postgresql://" in answer.json()["error"] for answer in answers)
        assert shown(fleet, doors) == document
        followers = followed(fleet)
        for traffic in traffics.values():
            traffic.wait_until_flowing()
    finally:
        fleet.postgres.start()

    wait_until(
        lambda: all(ask(fleet, door, "GET", "/readyz").status_code == 200 for door in doors),
        LIMIT,
        "all to be ready",
    )
    assert ask(fleet, doors[1], "POST", "/v1/alerts", body=busy).status_code == 200
    fleet.wait_until_serving()
    assert [move for client in traffics for move in fleet.moves(client, since=stopped)] == []
    assert followed(fleet) == followers, "no stream has ended"
    assert all(traffic.outage(stopped).seconds < 1.0 for traffic in traffics.values())
    in_order(fleet)
