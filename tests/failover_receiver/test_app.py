"""Tests of failover_receiver/app.py: who may ask what, and one answer for each kind of mistake."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from failover_receiver.access import Role
from failover_receiver.store import sqlite as store_module
from tests.failover_receiver.parts import BODY, NOON, TOKENS, Parts, bearer, build, posted, webhook
from tests.failover_receiver.story import spec

pytestmark = pytest.mark.anyio

ALL = frozenset(Role)
OPERATOR = frozenset({Role.OPERATOR})
OBSERVERS = OPERATOR | {Role.PROMETHEUS}
WORKER = frozenset({Role.WORKER})
FOLLOWER = frozenset({Role.FOLLOWER})
READERS = OPERATOR | {Role.CLIENT, Role.VANTAGE, Role.WORKER}
ACK = {"epoch": 1, "generation": 1, "active": "fra1"}
CLIENT = {"public_key": spec(9).public_key, "addresses": ["10.6.0.2"]}

ROUTES: dict[tuple[str, str], tuple[frozenset[Role], Any]] = {
    ("POST", "/v1/alerts"): (OPERATOR | {Role.ALERTMANAGER}, webhook()),
    ("GET", "/v1/peer-set"): (READERS, None),
    ("GET", "/v1/peer-set/events"): (READERS, None),
    ("GET", "/v1/client-list"): (OPERATOR | {Role.WORKER}, None),
    ("GET", "/v1/client-list/events"): (OPERATOR | {Role.WORKER}, None),
    ("GET", "/v1/shared"): (OPERATOR, None),
    ("GET", "/v1/places"): (WORKER, None),
    ("GET", "/v1/places/events"): (WORKER, None),
    ("POST", "/v1/acks"): (frozenset({Role.CLIENT, Role.WORKER}), ACK),
    ("GET", "/v1/follow/events"): (FOLLOWER, None),
    ("POST", "/v1/acks/batch"): (FOLLOWER, {"acks": []}),
    ("GET", "/v1/signing-key"): (ALL, None),
    ("GET", "/v1/workers"): (OPERATOR, None),
    ("PUT", "/v1/workers/fra1"): (OPERATOR, BODY),
    ("PUT", "/v1/workers/fra1/drain"): (OPERATOR, None),
    ("DELETE", "/v1/workers/fra1/drain"): (OPERATOR, None),
    ("PUT", "/v1/workers/fra1/ban"): (OPERATOR, None),
    ("DELETE", "/v1/workers/fra1/ban"): (OPERATOR, None),
    ("POST", "/v1/workers/fra1/admit"): (OPERATOR, {"force": True}),
    ("PATCH", "/v1/workers/fra1"): (OPERATOR, {"weight": 50}),
    ("DELETE", "/v1/workers/fra1"): (OPERATOR, None),
    ("GET", "/v1/workers/fra1/clients"): (OPERATOR, None),
    ("GET", "/v1/clients"): (OPERATOR, None),
    ("GET", "/v1/clients/phone"): (OPERATOR, None),
    ("PUT", "/v1/clients/phone"): (OPERATOR, CLIENT),
    ("POST", "/v1/clients"): (OPERATOR, {"clients": [{"name": "phone", **CLIENT}]}),
    ("DELETE", "/v1/clients/phone"): (OPERATOR, None),
    ("POST", "/v1/client-list/confirm"): (OPERATOR, None),
    ("GET", "/v1/client-list/behind"): (OPERATOR, None),
    ("GET", "/v1/self"): (frozenset({Role.CLIENT, Role.WORKER}), None),
    ("PUT", "/v1/self/drain"): (WORKER, None),
    ("DELETE", "/v1/self/drain"): (WORKER, None),
    ("GET", "/v1/self/clients"): (WORKER, None),
    ("GET", "/v1/enrolments"): (OPERATOR, None),
    ("POST", "/v1/enrolments"): (OPERATOR, {"name": "phone", "role": "client", "addresses": ["10.6.0.2"]}),
    ("DELETE", "/v1/enrolments/phone"): (OPERATOR, None),
    ("GET", "/v1/tokens"): (OPERATOR, None),
    ("POST", "/v1/tokens"): (OPERATOR, {"name": "phone", "role": "client"}),
    ("DELETE", "/v1/tokens/phone"): (OPERATOR, None),
    ("GET", "/v1/events"): (OPERATOR, None),
    ("GET", "/v1/doctor"): (OPERATOR, None),
    ("POST", "/v1/simulations"): (OPERATOR, {"steps": [{"do": "down", "workers": ["fra1"]}]}),
    ("GET", "/v1/sd/workers"): (OBSERVERS, None),
    ("GET", "/v1/sd/probes"): (OBSERVERS, None),
    ("GET", "/health"): (OBSERVERS, None),
    ("GET", "/metrics"): (OBSERVERS, None),
}
"""Every route that asks for a token: who may, and a body that it takes."""
OPEN = {("GET", "/livez"), ("GET", "/readyz"), ("POST", "/v1/enrol")}
"""Those that ask for none; the last one asks for a bundle."""

every_route = pytest.mark.parametrize(("method", "path"), ROUTES, ids=lambda part: part)


async def ask(
    parts: Parts, method: str, path: str, *, who: Role | None = None, token: str | None = None
) -> httpx.Response:
    """One request, with its body, if it takes one."""
    parameters = {"probe": "tunnel"} if path == "/v1/sd/probes" else {}
    headers = bearer(token) if token else {}
    async with parts.ask(who) as http:
        return await http.request(
            method, path, params=parameters, json=ROUTES[method, path][1], headers=headers
        )


def test_every_route_is_in_the_table(parts: Parts) -> None:
    """One that is added later has to say who may ask it."""
    paths = parts.app.openapi()["paths"]
    there = {(method.upper(), path.replace("{name}", "")) for path in paths for method in paths[path]}
    named = {(method, path.replace("fra1", "").replace("phone", "")) for method, path in ROUTES}

    assert there == named | OPEN


@every_route
async def test_a_missing_token_is_asked_for(parts: Parts, method: str, path: str) -> None:
    """401, with the header that says how."""
    answer = await ask(parts, method, path)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json() == {"error": "a token is needed: send the header `Authorization: Bearer <token>`"}


@every_route
async def test_an_unknown_token_is_refused(parts: Parts, method: str, path: str) -> None:
    """Likewise, and it is not repeated."""
    answer = await ask(parts, method, path, token=TOKENS[Role.OPERATOR] + "x")

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json() == {
        "error": "this token is not known here: it was mistyped, revoked, or is another fleet's"
    }


@every_route
async def test_every_role_that_may_not_is_refused(parts: Parts, method: str, path: str) -> None:
    """403, and it says who may; nothing was changed by asking."""
    allowed = ROUTES[method, path][0]
    needed = " or ".join(sorted(allowed))
    before = parts.state

    for role in sorted(ALL - allowed):
        answer = await ask(parts, method, path, who=role)

        assert answer.status_code == 403
        assert "www-authenticate" not in answer.headers
        assert answer.json() == {"error": f"token '{role}' has the role {role}, this needs {needed}"}
    assert parts.state == before


@every_route
async def test_every_role_that_may_is_let_in(parts: Parts, method: str, path: str) -> None:
    """Whatever comes of it."""
    parts.publication.close()  # Or the answer would never end.
    parts.receiver.client_list.close()
    parts.receiver.places.close()
    parts.receiver.source.close()

    for role in sorted(ROUTES[method, path][0]):
        answer = await ask(parts, method, path, who=role)

        assert answer.status_code not in {401, 403, 405, 422, 500}


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_supervisors_need_no_token(parts: Parts, path: str) -> None:
    """They only learn that it lives."""
    async with parts.ask(None) as http:
        assert (await http.get(path)).status_code == 200


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Parts]:
    """A receiver whose configuration opens /health and /metrics."""
    parts = build(tmp_path, open_health=True)
    yield parts
    parts.close()


async def test_open_health_opens_health_and_metrics_and_nothing_else(opened: Parts) -> None:
    """Without a token, and with a wrong one."""
    let_in = set()
    for method, path in ROUTES:
        for token in (None, "wrong"):
            opened.clock.now += 1  # Or it would be one of too many wrong tokens.
            answer = await ask(opened, method, path, token=token)
            if answer.status_code != 401:
                let_in.add((path, answer.status_code))

    assert let_in == {("/health", 200), ("/metrics", 200)}


# One answer for each kind of mistake.

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("content", "headers", "error"),
    [
        (b'{"version', JSON, "body: is not JSON: EOF while parsing a string at line 1 column 9"),
        (b"", JSON, "body: is missing"),
        (b'["x"]', JSON, "body: is ['x']: an object was expected"),
        (
            b'{"version": "4", "alerts": []}',
            {"Content-Type": "text/plain"},
            "body: is not taken for JSON: send it with the header `Content-Type: application/json`",
        ),
        (
            b'{"version": "4", "alerts": []}',
            {},
            "body: is not taken for JSON: send it with the header `Content-Type: application/json`",
        ),
        (
            b'{"version": "5", "alerts": []}',
            JSON,
            "body.version: is '5': only version '4' is understood here, Alertmanager's since 0.5",
        ),
        (b'{"alerts": []}', JSON, "body.version: is missing"),
        (b"{}", JSON, "body.version: is missing; body.alerts: is missing"),
    ],
)
async def test_a_broken_body_is_told_what_is_wrong_with_it(
    parts: Parts, content: bytes, headers: dict[str, str], error: str
) -> None:
    """422 and each fault with its place."""
    async with parts.ask(Role.ALERTMANAGER) as http:
        answer = await http.post("/v1/alerts", content=content, headers=headers)

    assert (answer.status_code, answer.json()) == (422, {"error": error})


async def test_a_body_that_is_no_text_is_not_taken_for_a_wrong_route(parts: Parts) -> None:
    """Half a file, or a compressed one."""
    async with parts.ask(Role.ALERTMANAGER) as http:
        answer = await http.post("/v1/alerts", content=b"\x1f\x8b\xff\xfe", headers=JSON)

    error = "body: is not JSON: expected value at line 1 column 1"
    assert (answer.status_code, answer.json()) == (422, {"error": error})


async def test_a_long_value_is_shortened_in_the_error(parts: Parts) -> None:
    """The answer stays readable."""
    async with parts.ask(Role.ALERTMANAGER) as http:
        answer = await http.post("/v1/alerts", json={"version": "x" * 1000, "alerts": []})

    error = f"body.version: is '{'x' * 76}...: only version '4' is understood here, Alertmanager's since 0.5"
    assert answer.json() == {"error": error}


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v1/nothing", 404), ("PATCH", "/v1/workers", 405)]
)
async def test_an_unknown_route_says_where_the_known_ones_are(
    parts: Parts, method: str, path: str, status: int
) -> None:
    """In the words of every other mistake."""
    async with parts.ask() as http:
        answer = await http.request(method, path)

    error = f"there is no {method} {path} here; GET /openapi.json lists all routes"
    assert (answer.status_code, answer.json()) == (status, {"error": error})


async def test_a_refused_command_is_a_conflict(parts: Parts) -> None:
    """409: the request is good, the state is not."""
    async with parts.ask() as http:
        answer = await http.put("/v1/workers/nowhere/drain")

    assert (answer.status_code, answer.json()) == (
        404,
        {"error": "there is no worker 'nowhere'; registered: none"},
    )


async def test_a_failing_store_is_503_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alertmanager tries that again, and never a 4xx; once the store works, the same webhook is taken."""
    monkeypatch.setattr(store_module, "BUSY_SECONDS", 0.01)
    parts = build(tmp_path)
    before = await parts.serve("fra1")
    lock = sqlite3.connect(tmp_path / "receiver.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    body = webhook(posted("down", "fra1", NOON))

    async with parts.ask(Role.ALERTMANAGER) as http:
        refused = await http.post("/v1/alerts", json=body)
        unchanged = parts.state
        lock.execute("ROLLBACK")
        taken = await http.post("/v1/alerts", json=body)

    assert (refused.status_code, refused.json()) == (
        503,
        {"error": "the store failed: database is locked; is its disk full or its file locked?"},
    )
    assert refused.headers["retry-after"] == "1"
    assert unchanged is before
    assert (taken.status_code, taken.json()["generation"]) == (200, before.generation + 1)
    lock.close()
    parts.close()
