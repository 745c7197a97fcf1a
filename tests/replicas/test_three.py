"""Tests of three receivers in processes of their own, on one real PostgreSQL."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from failover_receiver.access import Role
from tests.failover_receiver.parts import bearer
from tests.failover_receiver.story import spec
from tests.lab.waiting import wait_until
from tests.replicas.gaps import Fault, Gaps, measure
from tests.replicas.three import MANY, Three
from wgfleet.bundle import Bundle

SOON = 30.0
"""Seconds that a machine may need that is busy with other things."""


def each(three: Three, path: str, pick: Callable[[Any], Any] = lambda answer: answer) -> list[Any]:
    """What each receiver answers an operator, or some of it."""
    return [pick(three.ask(number, "GET", path).json()) for number in range(MANY)]


def soon(done: Callable[[], bool], what: str) -> None:
    """Wait for what one receiver tells the others."""
    wait_until(done, SOON, what)


def by_token(three: Three, number: int, token: str, method: str, path: str, **said: Any) -> httpx.Response:
    """What whoever holds a token is answered."""
    url = f"{three.receivers[number].url}{path}"
    return httpx.request(method, url, headers=bearer(token), timeout=SOON, trust_env=False, **said)


def made(three: Three, number: int, name: str, role: Role) -> str:
    """A new token."""
    answer = three.ask(number, "POST", "/v1/tokens", json={"name": name, "role": role})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def ordered(three: Three) -> None:
    """All tell the same history, and its numbers never go back."""
    first, *others = each(three, "/v1/events?limit=10000")
    assert all(other == first for other in others)
    numbers = [(event["epoch"], event["generation"]) for event in first if event["what"] == "decided"]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("fault", Fault)
def test_every_watcher_has_what_was_answered_whatever_happens_to_one(three: Three, fault: Fault) -> None:
    """In order, with the same bytes everywhere; and all have the same history afterwards."""
    gaps: Gaps = measure(three, fault, victim=1, before=0.3, during=1.5, after=0.5, watchers=2)

    assert gaps.disorder == []
    assert gaps.worst < float("inf")
    assert {one.by for one in gaps.answered} >= {0, 2}
    ordered(three)


def test_a_token_that_one_revokes_opens_nothing_at_the_others(three: Three) -> None:
    """And one that is made opens everywhere."""
    token = made(three, 0, "watcher", Role.CLIENT)

    def opens() -> list[int]:
        return [by_token(three, n, token, "GET", "/v1/self").status_code for n in range(MANY)]

    soon(lambda: opens() == [200] * MANY, "the token to open everywhere")

    three.ask(2, "DELETE", "/v1/tokens/watcher").raise_for_status()

    assert opens()[2] == 401
    soon(lambda: opens() == [401] * MANY, "the token to open nowhere")


def test_who_is_signed_in_at_one_is_signed_in_at_all(three: Three) -> None:
    """Until signed out at any of them."""
    token = three.receivers[0].secret(Role.OPERATOR)
    with httpx.Client(trust_env=False, timeout=SOON) as browser:
        signed = browser.post(f"{three.receivers[0].url}/sign-in", data={"token": token})
        assert signed.status_code == 303
        cookie = {"wgfleet": signed.cookies["wgfleet"]}

    def seen() -> list[int]:
        return [
            httpx.get(f"{one.url}/", cookies=cookie, timeout=SOON, trust_env=False).status_code
            for one in three.receivers
        ]

    soon(lambda: seen() == [200] * MANY, "the page at all of them")
    httpx.post(f"{three.receivers[1].url}/sign-out", cookies=cookie, timeout=SOON, trust_env=False)
    soon(lambda: seen() == [303] * MANY, "the page at none")


def test_a_bundle_works_once_whoever_is_asked(three: Three) -> None:
    """Used at all three at the same moment: one machine has joined."""
    answer = three.ask(0, "POST", "/v1/enrolments", json={"name": "laptop", "role": "client"})
    bundle = Bundle.from_text(answer.json()["bundle"])

    def use(number: int) -> httpx.Response:
        body = {"secret": bundle.secret, "public_key": spec(50 + number).public_key}
        url = f"{three.receivers[number].url}/v1/enrol"
        return httpx.post(url, json=body, timeout=SOON, trust_env=False)

    with ThreadPoolExecutor() as threads:
        answers = list(threads.map(use, range(MANY)))

    assert sorted(one.status_code for one in answers) == [200, 401, 401]
    clients = three.ask(1, "GET", "/v1/clients").json()["clients"]
    (joined,) = (one for one in answers if one.status_code == 200)
    soon(lambda: "laptop" in three.ask(2, "GET", "/v1/clients").json()["clients"], "all to know it")
    assert clients["laptop"]["addresses"] == joined.json()["tunnel_addresses"]


def test_clients_that_are_added_everywhere_at_once_are_all_there(three: Three) -> None:
    """Each has its own address, and the lists' numbers rise: every receiver publishes the same list in the end."""

    def add(number: int) -> httpx.Response:
        body = {"public_key": spec(100 + number).public_key}
        return three.ask(number % MANY, "PUT", f"/v1/clients/c{number}", json=body)

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(add, range(24)))

    assert [one.status_code for one in answers] == [200] * 24, [one.text for one in answers]
    addresses = [one.json()["addresses"][0] for one in answers]
    assert len(set(addresses)) == 24
    newest = max((one.json()["epoch"], one.json()["generation"]) for one in answers)

    def published() -> bool:
        lists = [three.ask(n, "GET", "/v1/client-list", role=Role.OPERATOR) for n in range(MANY)]
        numbers = each(three, "/v1/clients", lambda said: (said["epoch"], said["generation"]))
        return (
            len({one.content for one in lists}) == 1
            and set(numbers) == {max(numbers)}
            and max(numbers) >= newest
        )

    soon(published, "one list, with all of them")


def test_what_a_client_says_to_one_is_known_to_all(three: Three) -> None:
    """Operators who wait for a worker to be empty, and workers that follow their clients, may ask any of them."""
    token, worker = made(three, 0, "phone", Role.CLIENT), made(three, 0, "w1", Role.WORKER)
    soon(lambda: by_token(three, 1, token, "GET", "/v1/self").status_code == 200, "the token to open")

    def said(number: int, active: str) -> None:
        ack = {"epoch": 1, "generation": 1, "active": active}
        assert by_token(three, number, token, "POST", "/v1/acks", json=ack).status_code == 204

    def using(name: str) -> list[bool]:
        return each(three, f"/v1/workers/{name}/clients", lambda found: "phone" in found["using"])

    def places() -> list[Any]:
        told = [by_token(three, n, worker, "GET", "/v1/places").json() for n in range(MANY)]
        return [one.get("clients", {}).get("phone", [None])[0] for one in told]

    said(1, "w1")
    soon(lambda: using("w1") == [True] * MANY, "all to know that it uses w1")
    soon(lambda: places() == ["w1"] * MANY, "all to tell workers so")
    said(2, "w2")
    soon(lambda: using("w2") == [True] * MANY, "all to know that it has moved")
    soon(lambda: places() == ["w2"] * MANY, "all to tell workers so")


def test_while_postgres_is_away_all_show_what_they_have(three: Three) -> None:
    """Webhooks and operators get 503 with the reason; documents are given out; followers are told to look elsewhere; afterwards everything goes on."""
    edge = made(three, 1, "edge1", Role.FOLLOWER)
    soon(lambda: set(each(three, "/v1/doctor", lambda said: said["sharing"])) == {MANY}, "all to hear all")
    documents = [three.ask(n, "GET", "/v1/peer-set").content for n in range(MANY)]
    three.postgres.stop()
    try:
        soon(lambda: _ready(three) == [503] * MANY, "all to say that they are not ready")
        told = three.ask(0, "PUT", "/v1/workers/w1/drain")
        assert told.status_code == 503
        assert "PostgreSQL at postgresql://" in told.json()["error"]
        assert [three.ask(n, "GET", "/v1/peer-set").content for n in range(MANY)] == documents
        assert _standing(three, 1, edge) == {"live": False, "hops": 0}
        page = three.ask(1, "GET", "/metrics").text
        assert "wgfleet_receiver_store_connected 0.0\n" in page
        assert "wgfleet_receiver_replicas 1.0\n" in page
    finally:
        three.postgres.start()
    soon(lambda: _ready(three) == [200] * MANY, "all to be ready again")
    assert three.ask(1, "PUT", "/v1/workers/w1/drain").status_code == 200
    assert three.ask(2, "DELETE", "/v1/workers/w1/drain").status_code == 200
    assert _standing(three, 1, edge) == {"live": True, "hops": 0}


def _ready(three: Three) -> list[int]:
    return [three.ask(n, "GET", "/readyz").status_code for n in range(MANY)]


def _standing(three: Three, number: int, token: str) -> Any:
    """What a follower is told first."""
    url = f"{three.receivers[number].url}/v1/follow/events"
    with httpx.stream("GET", url, headers=bearer(token), timeout=SOON, trust_env=False) as answer:
        return json.loads(next(line for line in answer.iter_lines() if line.startswith("data:"))[5:])
