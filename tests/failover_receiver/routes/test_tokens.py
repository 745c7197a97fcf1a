"""Tests of failover_receiver/routes/tokens.py."""

import logging
from dataclasses import asdict
from typing import Any

import httpx
import pytest

from failover_receiver.access import Role, digest
from failover_receiver.state import DrainWished
from tests.failover_receiver.parts import BODY, NOON, TOKENS, Parts, bearer
from tests.failover_receiver.story import spec

pytestmark = pytest.mark.anyio


async def ask(parts: Parts, method: str, path: str, body: Any = None) -> httpx.Response:
    """An operator asks."""
    async with parts.ask(Role.OPERATOR) as http:
        return await http.request(method, path, json=body)


async def test_a_new_token_is_shown_once_and_opens_at_once(parts: Parts) -> None:
    """Nobody can read it again, not even in the store."""
    made = await ask(parts, "POST", "/v1/tokens", {"name": "phone", "role": "client"})

    secret = made.json()["token"]
    said = {"name": "phone", "role": "client", "expires_at": None, "token": secret}
    assert (made.status_code, made.json()) == (201, said)
    async with parts.ask(None) as http:
        answer = await http.get("/v1/signing-key", headers=bearer(secret))
    assert answer.status_code == 200
    listed = await ask(parts, "GET", "/v1/tokens")
    assert secret not in listed.text
    phone = {"name": "phone", "role": "client", "created_at": NOON, "expires_at": None, "last_used_at": NOON}
    assert phone in listed.json()
    (kept,) = [token for token in parts.store.tokens.all() if token.name == "phone"]
    assert kept.digest == digest(secret)


async def put(parts: Parts, kind: str, name: str, body: dict[str, Any]) -> None:
    """Register a machine."""
    assert (await ask(parts, "PUT", f"/v1/{kind}/{name}", body)).status_code == 200


@pytest.mark.parametrize(
    ("name", "role", "right"),
    [("fra1", "operator", "worker"), ("fra1", "client", "worker"), ("ann", "operator", "client or vantage")],
)
async def test_a_machines_name_is_no_others(parts: Parts, name: str, role: str, right: str) -> None:
    """The history names who did what by it; and its own daemon could have no token any more."""
    await put(parts, "workers", "fra1", BODY)
    await put(parts, "clients", "ann", {"public_key": spec(101).public_key, "addresses": ["10.98.0.7"]})

    answer = await ask(parts, "POST", "/v1/tokens", {"name": name, "role": role})

    assert answer.status_code == 409
    assert f"whose token has the role {right}: choose another for one with" in answer.json()["error"]


async def test_a_token_of_a_machine_that_is_not_registered_is_made_with_a_warning(parts: Parts) -> None:
    """It may come; of a client nothing is said where none is registered, since its peers are then kept by hand."""

    async def warning(name: str, role: str) -> str:
        return str(
            (await ask(parts, "POST", "/v1/tokens", {"name": name, "role": role})).json().get("warning")
        )

    assert await warning("early", "client") == "None"
    await put(parts, "workers", "fra1", BODY)
    await put(parts, "clients", "ann", {"public_key": spec(101).public_key, "addresses": ["10.98.0.7"]})

    assert "there is no worker 'fra2'" in await warning("fra2", "worker")
    assert "there is no client 'bob'" in await warning("bob", "client")
    assert [await warning("fra1", "worker"), await warning("ann", "client")] == ["None", "None"]


async def test_no_list_shows_a_token_or_its_digest(parts: Parts) -> None:
    """Names, roles and times are all that anybody is told."""
    listed = (await ask(parts, "GET", "/v1/tokens")).json()

    assert [token["name"] for token in listed] == sorted(TOKENS)
    keys = {"name", "role", "created_at", "expires_at", "last_used_at"}
    assert {key for token in listed for key in token} == keys


async def test_a_revoked_token_opens_no_more(parts: Parts) -> None:
    """From that moment, and in the next life too."""
    answer = await ask(parts, "DELETE", "/v1/tokens/client")

    assert (answer.status_code, answer.content) == (204, b"")
    async with parts.ask(Role.CLIENT) as http:
        assert (await http.get("/v1/signing-key")).status_code == 401
    assert "client" not in {token.name for token in parts.store.tokens.all()}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        (
            "POST",
            "/v1/tokens",
            {"name": "client", "role": "operator"},
            409,
            "there is already a token named 'client': revoke it first",
        ),
        (
            "DELETE",
            "/v1/tokens/nobody",
            None,
            404,
            "there is no token named 'nobody': `wgfleet token list` names all",
        ),
        (
            "POST",
            "/v1/tokens",
            {"name": "x", "role": "client", "expires_at": NOON},
            409,
            "expires_at: 1795348800 is in the past: give a time to come, in seconds since 1970",
        ),
        (
            "POST",
            "/v1/tokens",
            {"name": "x", "role": "client", "expires_at": 1795348800000},
            422,
            "body.expires_at: is 1795348800000: 253402300799 or less was expected",
        ),
        (
            "POST",
            "/v1/tokens",
            {"name": "x", "role": "admin"},
            422,
            (
                "body.role: is 'admin': "
                "'operator', 'alertmanager', 'prometheus', 'worker', 'client' or 'vantage' was expected"
            ),
        ),
        (
            "POST",
            "/v1/tokens",
            {"name": "My Phone", "role": "client"},
            422,
            (
                "body.name: is 'My Phone': 'My Phone' is not a name: "
                "lower-case letters, digits and inner hyphens, 1 to 63 of them"
            ),
        ),
        (
            "POST",
            "/v1/tokens",
            {"name": "x", "role": "client", "expires": 5},
            422,
            "body.expires: there is no such key",
        ),
        (
            "GET",
            "/v1/events?limit=0",
            None,
            422,
            "query.limit: is '0': 1 or more was expected",
        ),
    ],
)
async def test_a_wrong_wish_is_refused_with_the_reason(
    parts: Parts, method: str, path: str, *, body: Any, status: int, error: str
) -> None:
    """And nobody's token changes."""
    before = parts.store.tokens.all()

    answer = await ask(parts, method, path, body)

    assert (answer.status_code, answer.json()) == (status, {"error": error})
    assert parts.store.tokens.all() == before


async def test_a_token_ends_by_itself(parts: Parts) -> None:
    """At that second, in this life and the next; the list shows it until somebody revokes it."""
    body = {"name": "phone", "role": "client", "expires_at": NOON + 60}
    secret = (await ask(parts, "POST", "/v1/tokens", body)).json()["token"]
    statuses = []

    async with parts.ask(None) as http:
        for parts.clock.now in (NOON + 59, NOON + 60):
            answer = await http.get("/v1/signing-key", headers=bearer(secret))
            statuses.append(answer.status_code)
        await parts.receiver.learn_tokens()
        answer = await http.get("/v1/signing-key", headers=bearer(secret))

    assert [*statuses, answer.status_code] == [200, 401, 401]
    assert answer.json() == {"error": "token 'phone' has expired: have an operator make a new one"}
    (listed,) = [one for one in (await ask(parts, "GET", "/v1/tokens")).json() if one["name"] == "phone"]
    assert (listed["expires_at"], listed["last_used_at"]) == (NOON + 60, NOON + 59)


async def test_an_operator_whose_token_has_expired_does_not_count_as_one(parts: Parts) -> None:
    """Or the last one that opens could be revoked."""
    await ask(parts, "POST", "/v1/tokens", {"name": "alice", "role": "operator", "expires_at": NOON + 60})
    parts.clock.now = NOON + 60

    refused = await ask(parts, "DELETE", "/v1/tokens/operator")
    expired = await ask(parts, "DELETE", "/v1/tokens/alice")

    assert (refused.status_code, expired.status_code) == (409, 204)


async def test_the_history_tells_who_made_and_revoked_a_token(parts: Parts) -> None:
    """Whoever is let in by night is found by day; what did not happen is not told."""
    await ask(parts, "POST", "/v1/tokens", {"name": "phone", "role": "client"})
    await ask(parts, "POST", "/v1/tokens", {"name": "phone", "role": "client"})
    await ask(parts, "DELETE", "/v1/tokens/phone")
    await ask(parts, "DELETE", "/v1/tokens/phone")

    told = [(one.who, one.what, one.subject, one.reason) for one in parts.store.events(10)]

    assert told == [
        ("operator", "token made", "phone", "client"),
        ("operator", "token revoked", "phone", "revoked"),
    ]


async def test_the_last_operators_token_cannot_be_revoked(parts: Parts) -> None:
    """Nobody could make another one; with a second operator it can."""
    refused = await ask(parts, "DELETE", "/v1/tokens/operator")
    second = (await ask(parts, "POST", "/v1/tokens", {"name": "alice", "role": "operator"})).json()["token"]
    revoked = await ask(parts, "DELETE", "/v1/tokens/operator")

    error = "'operator' is the last operator's token: create another one first, or nobody gets in"
    assert (refused.status_code, refused.json()) == (409, {"error": error})
    assert revoked.status_code == 204
    async with parts.ask(None) as http:
        assert (await http.delete("/v1/tokens/client", headers=bearer(second))).status_code == 204
        assert (await http.delete("/v1/tokens/alice", headers=bearer(second))).status_code == 409


async def test_the_history_is_told_as_it_was_kept(parts: Parts) -> None:
    """The newest, oldest first, as many as asked for."""
    await parts.serve("fra1", "ams1")
    await parts.driver.take(DrainWished("fra1", drain=True), who="alice")

    everything = await ask(parts, "GET", "/v1/events")
    last = await ask(parts, "GET", "/v1/events?limit=1")

    assert everything.json() == [asdict(event) for event in parts.store.events(100)]
    assert len(everything.json()) == 5
    assert last.json() == [
        {
            "at": NOON,
            "who": "alice",
            "what": "decided",
            "subject": "fra1",
            "before": "serving",
            "after": "draining",
            "reason": "drained",
            "epoch": 1,
            "generation": 4,
            "id": 5,
        }
    ]


async def test_no_token_is_ever_logged(parts: Parts, caplog: pytest.LogCaptureFixture) -> None:
    """At any level, of anybody, whatever was asked."""
    caplog.set_level(logging.DEBUG)

    made = await ask(parts, "POST", "/v1/tokens", {"name": "phone", "role": "client"})
    async with parts.ask(None) as http:
        await http.get("/health", headers=bearer("wrong-token-of-somebody"))
    await ask(parts, "DELETE", "/v1/tokens/phone")

    for secret in (*TOKENS.values(), made.json()["token"], "wrong-token-of-somebody"):
        assert secret not in caplog.text
        assert digest(secret) not in caplog.text
