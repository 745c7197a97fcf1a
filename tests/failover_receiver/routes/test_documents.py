"""Tests of failover_receiver/routes/documents.py. Streams are in test_serve.py, on a real server."""

import hashlib
from dataclasses import replace
from typing import Any

import httpx
import pytest

from failover_receiver.access import Role
from failover_receiver.acks import Ack, Sees
from tests.failover_receiver.parts import FLEET, NOON, SIGNER, Parts, seen
from wgfleet.peerset import PeerSet
from wgfleet.signing import SignatureRefusedError, Signer, Verifier

pytestmark = pytest.mark.anyio


async def get(parts: Parts, path: str, **headers: str) -> httpx.Response:
    """A client asks."""
    async with parts.ask(Role.CLIENT) as http:
        return await http.get(path, headers=headers)


async def test_before_the_first_decision_there_is_nothing_to_fetch(parts: Parts) -> None:
    """404, with what to do."""
    answer = await get(parts, "/v1/peer-set")

    assert (answer.status_code, answer.json()) == (
        404,
        {"error": "nothing is published yet: add a worker first"},
    )


async def test_the_document_is_signed_by_the_key_that_is_announced(parts: Parts) -> None:
    """Who has pinned that key can read it; who has pinned another refuses it."""
    await parts.serve("fra1")

    answer = await get(parts, "/v1/peer-set")
    announced = (await get(parts, "/v1/signing-key")).json()

    assert announced == {"fleet": FLEET, "public_key": SIGNER.public_text}
    payload = Verifier([announced["public_key"]]).payload(answer.content)
    assert PeerSet.from_bytes(payload, fleet=FLEET).workers == parts.state.published
    with pytest.raises(SignatureRefusedError, match="signed with key"):
        Verifier([Signer.generate().public_text]).payload(answer.content)


async def test_the_document_comes_with_its_digest_as_tag(parts: Parts) -> None:
    """And may be kept by caches that ask each time whether it is still good."""
    await parts.serve("fra1")

    answer = await get(parts, "/v1/peer-set")

    assert answer.status_code == 200
    assert answer.headers["etag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
    assert answer.headers["content-type"] == "application/jose"
    assert answer.headers["cache-control"] == "no-cache"


async def test_who_has_it_already_is_not_sent_it_again(parts: Parts) -> None:
    """304 without a body, until it changes."""
    await parts.serve("fra1", "ams1")
    tag = (await get(parts, "/v1/peer-set")).headers["etag"]

    same = await get(parts, "/v1/peer-set", **{"If-None-Match": tag})
    await parts.hear(seen("down", "fra1", NOON))
    changed = await get(parts, "/v1/peer-set", **{"If-None-Match": tag})

    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


# Acks.


async def ack(parts: Parts, who: Role, **said: Any) -> httpx.Response:
    """A client or worker says what it has applied."""
    async with parts.ask(who) as http:
        return await http.post("/v1/acks", json={"epoch": 1, "generation": 1, **said})


async def clients(parts: Parts) -> dict[str, int]:
    """How many clients /health says are on each worker."""
    async with parts.ask() as http:
        workers = (await http.get("/health")).json()["workers"]
    return {name: worker["clients"] for name, worker in workers.items()}


async def test_an_ack_counts_the_client_on_its_worker(parts: Parts) -> None:
    """Once, however often it comes."""
    await parts.serve("fra1", "ams1")

    answers = [await ack(parts, Role.CLIENT, active="fra1") for _ in range(3)]

    assert [(answer.status_code, answer.content) for answer in answers] == [(204, b"")] * 3
    assert await clients(parts) == {"ams1": 0, "fra1": 1}


async def test_a_client_that_moves_is_counted_where_it_is(parts: Parts) -> None:
    """Its last word counts; on no worker or on an unknown one it counts nowhere."""
    await parts.serve("fra1", "ams1")
    await ack(parts, Role.CLIENT, active="fra1")

    await ack(parts, Role.CLIENT, active="ams1")
    assert await clients(parts) == {"ams1": 1, "fra1": 0}
    await ack(parts, Role.CLIENT, active=None)
    assert await clients(parts) == {"ams1": 0, "fra1": 0}
    await ack(parts, Role.CLIENT, active="nowhere")
    assert await clients(parts) == {"ams1": 0, "fra1": 0}


@pytest.mark.parametrize(("silent", "counted"), [(150.0, 1), (150.1, 0)])
async def test_a_client_that_has_fallen_silent_is_not_counted(
    parts: Parts, silent: float, counted: int
) -> None:
    """It acks every minute; after two and a half it is gone."""
    await parts.serve("fra1")
    await ack(parts, Role.CLIENT, active="fra1")

    parts.clock.now += silent

    assert await clients(parts) == {"fra1": counted}


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"epoch": -1}, "body.epoch: is -1: 0 or more was expected"),
        (
            {"generation": "many"},
            "body.generation: is 'many': a whole number was expected",
        ),
        ({"active": 7}, "body.active: is 7: a text was expected"),
        (
            {"epoch": 2**53 + 1},
            "body.epoch: is 9007199254740993: 9007199254740992 or less was expected",
        ),
        ({"client_list": {"epoch": 1}}, "body.client_list.generation: is missing"),
        (
            {"sees": {"fra1": {"answers": True, "rtt_ms": -1}}},
            "body.sees.fra1.rtt_ms: is -1: 0 or more was expected",
        ),
        (
            {"sees": {f"w{number}": {"answers": False} for number in range(65)}},
            (
                "body.sees: is {'w0': {'answers': False}, 'w1': {'answers': False}, 'w2': {'answers': False}...: "
                "64 of them at most were expected"
            ),
        ),
    ],
)
async def test_an_ack_that_makes_no_sense_is_refused(parts: Parts, said: dict[str, Any], error: str) -> None:
    """With the field that is wrong."""
    answer = await ack(parts, Role.CLIENT, **said)

    assert (answer.status_code, answer.json()) == (422, {"error": error})
    assert parts.receiver.acks == {}


async def test_a_later_clients_fields_are_ignored(parts: Parts) -> None:
    """Clients and receivers are not renewed on the same day."""
    answer = await ack(
        parts, Role.CLIENT, active="fra1", round_trip=0.02, sees={"fra1": {"answers": True, "jitter": 3}}
    )

    assert answer.status_code == 204
    assert parts.receiver.acks["client"].sees == {"fra1": Sees(answers=True)}


async def test_what_a_client_sees_is_kept_for_operators(parts: Parts) -> None:
    """By worker: whether its tunnel answers, and how fast."""
    said = {"fra1": {"answers": True, "rtt_ms": 12.5}, "ams1": {"answers": False, "rtt_ms": None}}

    await ack(parts, Role.CLIENT, active="fra1", sees=said)

    assert parts.receiver.acks["client"].sees == {"fra1": Sees(True, 12.5), "ams1": Sees(False)}


async def test_a_workers_word_is_kept_apart_and_counts_no_client(parts: Parts) -> None:
    """It says which client list it has; the peer set it need not follow."""
    await parts.serve("fra1")
    async with parts.ask(Role.WORKER) as http:
        answer = await http.post("/v1/acks", json={"client_list": {"epoch": 2, "generation": 9}})

    assert answer.status_code == 204
    assert parts.receiver.acks == {}
    assert parts.receiver.worker_acks == {"worker": Ack(0, 0, None, NOON, client_list=(2, 9))}
    assert parts.receiver.clients().heard == 0


@pytest.mark.parametrize("who", [Role.CLIENT, Role.WORKER])
async def test_what_another_fleets_daemon_has_applied_says_nothing_here(parts: Parts, who: Role) -> None:
    """Though its token opens: by its higher number, a revocation would seem to have reached all workers."""
    said = {"active": "fra1", "client_list": {"epoch": 9, "generation": 9}}

    refused = await ack(parts, who, fleet="other", **said)
    taken = await ack(parts, who, fleet=FLEET, **said)

    assert refused.status_code == 409
    assert "fleet is 'other', and this is a receiver of fleet 'test'" in refused.json()["error"]
    assert taken.status_code == 204


async def test_a_refused_ack_is_not_remembered(parts: Parts) -> None:
    """Neither in memory nor in the store."""
    await ack(parts, Role.WORKER, fleet="other", client_list={"epoch": 9, "generation": 9})

    assert parts.receiver.worker_acks == {}
    assert parts.receiver.registrar.acks == parts.store.clients.acks() == {}


async def test_whoever_is_revoked_is_forgotten(parts: Parts) -> None:
    """What is remembered is bounded by the tokens that there are; a new token of the same name is another's."""
    await ack(parts, Role.CLIENT, active="fra1")
    await ack(parts, Role.WORKER)
    tokens = parts.store.tokens.all()

    parts.receiver.gate.learn(tokens)
    assert [*parts.receiver.acks, *parts.receiver.worker_acks] == ["client", "worker"]
    renewed = [replace(token, digest="another") if token.name == "client" else token for token in tokens]
    parts.receiver.gate.learn(renewed)
    assert [*parts.receiver.acks, *parts.receiver.worker_acks] == ["worker"]
    parts.receiver.gate.learn([])
    assert parts.receiver.worker_acks == {}
