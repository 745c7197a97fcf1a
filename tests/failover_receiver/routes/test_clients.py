"""Tests of failover_receiver/routes/clients.py."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from failover_receiver.access import Role, digest
from failover_receiver.store import StoredToken
from tests.failover_receiver.parts import BODY, FLEET, NOON, Parts, bearer, build
from tests.failover_receiver.story import spec
from wgfleet.clientlist import ClientList
from wgfleet.signing import Verifier

pytestmark = pytest.mark.anyio
ANN, BOB = spec(101).public_key, spec(102).public_key


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    """A receiver that gives addresses."""
    wired = build(tmp_path, client_pools=["10.99.0.0/16"])
    yield wired
    wired.close()


async def ask(
    parts: Parts, method: str, path: str, body: object = None, *, token: str = ""
) -> httpx.Response:
    """One request of an operator, or of whoever holds the token."""
    headers = bearer(token) if token else {}
    async with parts.ask(None if token else Role.OPERATOR) as http:
        return await http.request(method, path, json=body, headers=headers)


async def add(parts: Parts, name: str, key: str, **said: Any) -> dict[str, Any]:
    """Add a client."""
    answer = await ask(parts, "PUT", f"/v1/clients/{name}", {"public_key": key, **said})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def let_in(parts: Parts, name: str, role: Role) -> str:
    """A token of its own."""
    secret = f"the-token-of-{name}"
    await parts.driver.stored(lambda store: store.tokens.add(StoredToken(name, role, digest(secret), NOON)))
    await parts.receiver.learn_tokens()
    return secret


def listed(parts: Parts) -> ClientList:
    """What is published."""
    assert parts.receiver.client_list.shown is not None
    body = parts.receiver.client_list.shown.document.body
    return ClientList.from_bytes(Verifier([parts.driver.signer.public_text]).payload(body), fleet=FLEET)


async def test_a_client_is_added_with_an_address_from_the_pool(parts: Parts) -> None:
    """The answer has all of it, and the number of the list that has it."""
    assert await add(parts, "ann", ANN, networks=["192.168.7.0/24"]) == {
        "epoch": 1,
        "generation": 1,
        "name": "ann",
        "public_key": ANN,
        "addresses": ["10.99.0.1"],
        "networks": ["192.168.7.0/24"],
        "added_at": NOON,
        "allowed_ips": ["10.99.0.1/32", "192.168.7.0/24"],
        "ack": None,
    }
    assert listed(parts).number == (1, 1)


async def test_clients_are_listed_with_what_they_said_last(parts: Parts) -> None:
    """Which peer set each has applied, which worker it uses, and how long ago that was."""
    await add(parts, "ann", ANN)
    token = await let_in(parts, "ann", Role.CLIENT)
    await ask(parts, "POST", "/v1/acks", {"epoch": 1, "generation": 7, "active": "fra1"}, token=token)
    parts.clock.now += 12.5

    all_of_them = (await ask(parts, "GET", "/v1/clients")).json()
    one = (await ask(parts, "GET", "/v1/clients/ann")).json()

    assert one["ack"] == {"epoch": 1, "generation": 7, "active": "fra1", "seen_seconds_ago": 12.5}
    assert all_of_them == {"epoch": 1, "generation": 1, "clients": {"ann": one}}


async def test_an_address_may_be_written_as_a_network_of_one(parts: Parts) -> None:
    """As it stands in the file that somebody copies it from."""
    said = {"public_key": ANN, "addresses": ["10.50.0.1/32", "fd50::1/128"]}

    added = await ask(parts, "PUT", "/v1/clients/ann", said)

    assert added.json()["addresses"] == ["10.50.0.1", "fd50::1"]


async def test_another_key_is_taken_only_as_a_new_key(parts: Parts) -> None:
    """As with workers; what is left out stays."""
    await add(parts, "ann", ANN, networks=["192.168.7.0/24"])

    refused = await ask(parts, "PUT", "/v1/clients/ann", {"public_key": BOB})
    taken = await ask(parts, "PUT", "/v1/clients/ann?new_key=true", {"public_key": BOB})

    assert (refused.status_code, "say that it has a new key (--new-key)" in refused.json()["error"]) == (
        409,
        True,
    )
    assert (taken.json()["public_key"], taken.json()["networks"]) == (BOB, ["192.168.7.0/24"])


async def test_a_revoked_client_is_let_in_no_more(parts: Parts) -> None:
    """Its token opens nothing, its words are forgotten, its key is off the list: before it is answered."""
    await add(parts, "ann", ANN)
    token = await let_in(parts, "ann", Role.CLIENT)
    await ask(parts, "POST", "/v1/acks", {"epoch": 1, "generation": 1, "active": "fra1"}, token=token)
    parts.clock.now += 9.0

    answer = await ask(parts, "DELETE", "/v1/clients/ann")

    assert answer.json() == {"epoch": 1, "generation": 2, "name": "ann", "public_key": ANN}
    assert (await ask(parts, "GET", "/v1/self", token=token)).status_code == 401
    assert parts.receiver.acks == {}
    assert (listed(parts).clients, listed(parts).revoked) == ((), (ANN,))


async def test_a_revoked_key_needs_a_word_to_come_back(parts: Parts) -> None:
    """An operator who revoked the wrong one says `again`."""
    await add(parts, "ann", ANN)
    await ask(parts, "DELETE", "/v1/clients/ann")

    refused = await ask(parts, "PUT", "/v1/clients/ann", {"public_key": ANN})
    taken = await ask(parts, "PUT", "/v1/clients/ann?again=true", {"public_key": ANN})

    assert (refused.status_code, taken.status_code) == (409, 200)


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/clients/ann"), ("DELETE", "/v1/clients/ann")])
async def test_an_unknown_client_is_not_found(parts: Parts, method: str, path: str) -> None:
    """Which programs can tell from what is refused."""
    answer = await ask(parts, method, path)

    assert (answer.status_code, answer.json()) == (
        404,
        {"error": "there is no client 'ann': `wgfleet client list` names all"},
    )


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ({"public_key": "short"}, "body.public_key"),
        ({"addresses": []}, "body.addresses"),
        ({"addresses": ["10.99.0.1/24"]}, "body.addresses.0"),
        ({"addresses": [7]}, "body.addresses.0"),
        ({"addresses": ["127.0.0.1"]}, "body.addresses.0"),
        ({"networks": ["10.0.0.1/8"]}, "body.networks.0"),
        ({"networks": ["0.0.0.0/0"]}, "body.networks.0"),
    ],
)
async def test_a_client_that_is_described_wrongly_is_refused(
    parts: Parts, said: dict[str, Any], where: str
) -> None:
    """With the field, its value and what would be right."""
    answer = await ask(parts, "PUT", "/v1/clients/ann", {"public_key": ANN, **said})

    assert answer.status_code == 422
    assert answer.json()["error"].startswith(f"{where}: is ")


async def test_a_field_that_there_is_not_is_named(parts: Parts) -> None:
    """It is a misspelt one."""
    answer = await ask(parts, "PUT", "/v1/clients/ann", {"public_key": ANN, "network": ["10.0.0.0/8"]})

    assert (answer.status_code, answer.json()) == (422, {"error": "body.network: there is no such key"})


async def test_many_clients_are_added_at_once(parts: Parts) -> None:
    """In one list, with addresses of their own."""
    many = [{"name": f"c{number}", "public_key": spec(100 + number).public_key} for number in range(300)]

    answer = await ask(parts, "POST", "/v1/clients", {"clients": many})

    clients = answer.json()["clients"]
    assert (answer.status_code, len(clients), listed(parts).number) == (200, 300, (1, 1))
    assert len({client["addresses"][0] for client in clients.values()}) == 300


async def test_of_many_clients_all_are_added_or_none(parts: Parts) -> None:
    """Each fault is told by its client."""
    await add(parts, "ann", ANN)
    many = [
        {"name": "ann", "public_key": BOB},
        {"name": "bob", "public_key": BOB},
        {"name": "cat", "public_key": BOB},
    ]

    answer = await ask(parts, "POST", "/v1/clients", {"clients": many})

    first = f"client 'ann' has the public_key '{ANN}', not '{BOB}'"
    assert answer.status_code == 409
    assert answer.json()["error"].startswith(f"2 of 3 clients cannot be added, so none was: {first}")
    assert [fault["name"] for fault in answer.json()["faults"]] == ["ann", "cat"]
    assert list(parts.receiver.registrar.roll.clients) == ["ann"]


async def test_a_client_sees_itself_and_nothing_else(parts: Parts) -> None:
    """The one client's addresses are not the other's business."""
    await add(parts, "ann", ANN)
    await add(parts, "bob", BOB)
    token = await let_in(parts, "ann", Role.CLIENT)

    itself = await ask(parts, "GET", "/v1/self", token=token)
    others = [
        await ask(parts, "GET", path, token=token)
        for path in ("/v1/clients", "/v1/clients/bob", "/v1/clients/ann")
    ]

    assert itself.json() == {
        "name": "ann",
        "role": "client",
        "fleet": FLEET,
        "public_key": ANN,
        "addresses": ["10.99.0.1"],
        "networks": [],
        "added_at": NOON,
        "allowed_ips": ["10.99.0.1/32"],
    }
    assert [answer.status_code for answer in others] == [403, 403, 403]


async def test_a_worker_sees_itself(parts: Parts) -> None:
    """What operators said of it."""
    await ask(parts, "PUT", "/v1/workers/fra1", BODY)
    token = await let_in(parts, "fra1", Role.WORKER)

    itself = (await ask(parts, "GET", "/v1/self", token=token)).json()

    assert (itself["name"], itself["role"], itself["tunnel_addresses"]) == ("fra1", "worker", ["10.99.0.1"])


async def test_a_token_without_an_entry_is_told_its_name(parts: Parts) -> None:
    """One that was made by hand, before the client was registered; a worker of the same name is not its own."""
    token = await let_in(parts, "phone", Role.CLIENT)

    assert (await ask(parts, "GET", "/v1/self", token=token)).json() == {
        "name": "phone",
        "role": "client",
        "fleet": FLEET,
    }


async def test_a_worker_may_not_take_a_clients_name(parts: Parts) -> None:
    """Nor its key, nor its address."""
    await add(parts, "fra1", ANN)

    answer = await ask(parts, "PUT", "/v1/workers/fra1", BODY)

    assert (answer.status_code, answer.json()["error"]) == (
        409,
        "name 'fra1' is already that of a client: choose another",
    )


async def test_removals_are_confirmed_by_a_list_of_its_own(parts: Parts) -> None:
    """It is told by its number, and how many clients stay."""
    await add(parts, "ann", ANN)
    parts.clock.now += 9.0

    answer = await ask(parts, "POST", "/v1/client-list/confirm")

    assert answer.json() == {"epoch": 1, "generation": 2, "clients": 1}
    assert listed(parts).removals_confirmed == (1, 2)


# Waiting.


async def test_a_revocation_waits_for_each_worker_that_applies_lists(parts: Parts) -> None:
    """Those that never applied one have no peers of ours; each is done once it has applied that list, or a later one."""
    await parts.serve("ams1", "fra1", "lon1")
    await add(parts, "ann", ANN)
    tokens = {name: await let_in(parts, name, Role.WORKER) for name in ("ams1", "fra1")}
    for token in tokens.values():
        ack = {"client_list": {"epoch": 1, "generation": 1}}
        assert (await ask(parts, "POST", "/v1/acks", ack, token=token)).status_code == 204
    parts.clock.now += 9.0
    number = (await ask(parts, "DELETE", "/v1/clients/ann")).json()
    path = f"/v1/client-list/behind?epoch={number['epoch']}&generation={number['generation']}"

    before = (await ask(parts, "GET", path)).json()
    await ask(parts, "POST", "/v1/acks", {"client_list": {"epoch": 1, "generation": 2}}, token=tokens["fra1"])
    between = (await ask(parts, "GET", path)).json()
    await ask(parts, "PUT", "/v1/workers/ams1/ban")
    after = (await ask(parts, "GET", path)).json()

    first = {"epoch": 1, "generation": 1}
    assert before == {
        "published": {"epoch": 1, "generation": 2},
        "behind": {"ams1": first, "fra1": first},
        "workers": 2,
    }
    assert (between["behind"], after["behind"]) == ({"ams1": first}, {})


async def test_a_client_cannot_stand_for_a_worker(parts: Parts) -> None:
    """Whatever it says of client lists, nobody waits for it."""
    await parts.serve("ams1")
    token = await let_in(parts, "ann", Role.CLIENT)

    await ask(parts, "POST", "/v1/acks", {"client_list": {"epoch": 1, "generation": 1}}, token=token)

    assert (await ask(parts, "GET", "/v1/client-list/behind")).json()["workers"] == 0


async def test_a_worker_is_empty_when_no_client_uses_it_or_has_yet_to_hear(parts: Parts) -> None:
    """Of those that were heard lately; soon after a start nobody knows who else there is."""
    await parts.serve("ams1", "fra1")
    for name, generation, active, draining in (
        ("ann", 9, "fra1", {"fra1": 5}),
        ("bob", 7, "ams1", {}),
        ("cat", 8, "ams1", {"fra1": 3, "osl1": 1}),
        ("dan", 7, None, {"fra1": None}),
        ("eve", 8, "ams1", {"osl1": 1}),
    ):
        token = await let_in(parts, name, Role.CLIENT)
        ack = {"epoch": 1, "generation": generation, "active": active, "draining": draining}
        await ask(parts, "POST", "/v1/acks", ack, token=token)
    parts.clock.now += 50.0
    path = "/v1/workers/fra1/clients?epoch=1&generation=8"

    now = (await ask(parts, "GET", path)).json()
    parts.clock.now += 101.0
    later = (await ask(parts, "GET", path)).json()

    assert now == {
        "heard": 5,
        "using": ["ann"],
        "behind": ["bob", "dan"],
        "connections": {"cat": 3, "dan": None},
        "sure_in": 100.0,
    }
    assert later == {"heard": 0, "using": [], "behind": [], "connections": {}, "sure_in": 0.0}
    assert (await ask(parts, "GET", "/v1/workers/lon1/clients")).status_code == 404
