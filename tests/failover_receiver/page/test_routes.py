"""Tests of failover_receiver/page/routes.py and sessions.py. What a browser makes of it is in tests/browser."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from failover_receiver.access import Role, digest
from failover_receiver.limits import BURST
from failover_receiver.page import feed
from failover_receiver.page.sessions import LIFETIME_SECONDS, MOST_PER_TOKEN
from failover_receiver.state import DrainWished
from tests.failover_receiver.parts import LIMIT, NOON, TOKENS, Parts, build

pytestmark = pytest.mark.anyio

WRONG = "This token is not known here: it was mistyped, revoked, or is another fleet&#39;s."


@asynccontextmanager
async def window(parts: Parts, url: str = "http://receiver") -> AsyncIterator[httpx.AsyncClient]:
    """A browser, with cookies and without tokens."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(parts.front), base_url=url) as browser:
        yield browser


async def sign_in(browser: httpx.AsyncClient, token: str = TOKENS[Role.OPERATOR]) -> httpx.Response:
    """By the form."""
    return await browser.post("/sign-in", data={"token": token})


# Who may look.


async def test_a_stranger_is_led_to_the_form(parts: Parts) -> None:
    """And sees nothing of the fleet but its name."""
    await parts.serve("fra1")

    async with window(parts) as browser:
        answer = await browser.get("/")
        form = await browser.get("/sign-in")

    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert form.status_code == 200
    assert "fra1" not in answer.text + form.text


async def test_an_opened_health_does_not_open_the_page(tmp_path: Path) -> None:
    """It is for programs; the history says more."""
    parts = build(tmp_path, open_health=True)
    async with window(parts) as browser:
        assert (await browser.get("/")).status_code == 303
        assert (await browser.get("/page/events")).status_code == 401
    parts.close()


async def test_the_operators_token_opens_the_page(parts: Parts) -> None:
    """By a cookie that is not the token, for as long as a month."""
    async with window(parts) as browser:
        signed = await sign_in(browser)
        page = await browser.get("/")
        again = await browser.get("/sign-in")

    name, *attributes = signed.headers["set-cookie"].split("; ")
    assert (signed.status_code, signed.headers["location"]) == (303, "/")
    assert name.startswith("wgfleet=")
    assert TOKENS[Role.OPERATOR] not in name
    assert sorted(attributes) == ["HttpOnly", "Max-Age=2592000", "Path=/", "SameSite=strict"]
    assert page.status_code == 200
    assert (again.status_code, again.headers["location"]) == (303, "/")


async def test_over_tls_the_cookie_never_goes_in_clear(parts: Parts) -> None:
    """Nor can a page without TLS set one."""
    async with window(parts, "https://receiver") as browser:
        signed = await sign_in(browser)
        assert (await browser.get("/")).status_code == 200

    assert signed.headers["set-cookie"].startswith("__Host-wgfleet=")
    assert "; Secure" in signed.headers["set-cookie"]


async def test_the_cookie_opens_the_page_and_nothing_else(parts: Parts) -> None:
    """Neither as a cookie nor as a token: so there is nothing that another site could have a browser do."""
    async with window(parts) as browser:
        await sign_in(browser)
        (cookie,) = browser.cookies.values()
        reached = [
            path
            for path in ("/health", "/metrics", "/v1/workers", "/v1/tokens", "/v1/events", "/v1/peer-set")
            for headers in ({}, {"Authorization": f"Bearer {cookie}"})
            if (await browser.get(path, headers=headers)).status_code != 401
        ]

    assert reached == []


async def test_a_token_is_no_cookie(parts: Parts) -> None:
    """Nor is what the store has of either."""
    async with window(parts) as browser:
        await sign_in(browser)
        (cookie,) = browser.cookies.values()
        for wrong in (TOKENS[Role.OPERATOR], digest(TOKENS[Role.OPERATOR]), digest(cookie), ""):
            browser.cookies.clear()
            answer = await browser.get("/", headers={"Cookie": f"wgfleet={wrong}"})
            assert answer.status_code == 303


@pytest.mark.parametrize(
    ("content", "status", "error"),
    [
        (b"token=wrong", 401, WRONG),
        (b"token=", 401, "A token is needed: put the operator&#39;s into the field."),
        (b"", 401, "A token is needed: put the operator&#39;s into the field."),
        (b"\xff\xfe", 401, "A token is needed: put the operator&#39;s into the field."),
        (b"&".join([b"a=b"] * 100), 401, "A token is needed: put the operator&#39;s into the field."),
        (
            f"token={TOKENS[Role.PROMETHEUS]}".encode(),
            403,
            "Token &#39;prometheus&#39; has the role prometheus, this needs operator.",
        ),
    ],
)
async def test_what_is_wrong_is_said_in_the_form(
    parts: Parts, content: bytes, status: int, error: str
) -> None:
    """With its status; no browser's own question for a password, no cookie, and what was sent is not repeated."""
    async with window(parts) as browser:
        answer = await browser.post("/sign-in", content=content)

    assert answer.status_code == status
    assert error in answer.text
    assert not {"set-cookie", "www-authenticate"} & set(answer.headers)
    assert TOKENS[Role.PROMETHEUS] not in answer.text


async def test_guessing_at_the_form_is_slowed_down(parts: Parts) -> None:
    """As at the API, and together with it; the right token is still let in."""
    async with window(parts) as browser:
        statuses = [(await sign_in(browser, "wrong")).status_code for _ in range(BURST + 1)]
        limited = await sign_in(browser, "wrong")
        right = await sign_in(browser)

    assert statuses == [401] * BURST + [429]
    assert limited.headers["retry-after"] == "1"
    assert "Too many wrong tokens from 127.0.0.1: try again in 1 s." in limited.text
    assert right.status_code == 303


async def test_no_secret_is_logged(parts: Parts, caplog: pytest.LogCaptureFixture) -> None:
    """Neither token nor cookie nor what was tried; who signed in is."""
    caplog.set_level(logging.DEBUG)
    async with window(parts) as browser:
        await sign_in(browser, "somebody's secret")
        await sign_in(browser)
        (cookie,) = browser.cookies.values()

    for secret in (TOKENS[Role.OPERATOR], cookie, digest(cookie), "somebody"):
        assert secret not in caplog.text
    assert "signed in to the page" in caplog.text


# How it ends.


async def test_signing_out_ends_the_session_and_not_only_the_cookie(parts: Parts) -> None:
    """Whoever copied it is out as well."""
    async with window(parts) as browser:
        await sign_in(browser)
        (cookie,) = browser.cookies.values()
        out = await browser.post("/sign-out")
        copied = await browser.get("/", headers={"Cookie": f"wgfleet={cookie}"})

    assert (out.status_code, out.headers["location"]) == (303, "/sign-in")
    assert "Max-Age=0" in out.headers["set-cookie"]
    assert copied.status_code == 303
    assert parts.store.tokens.sessions() == []


async def test_another_site_cannot_sign_anybody_out(parts: Parts) -> None:
    """Without the cookie, which it cannot send, there is no word of one."""
    async with window(parts) as browser:
        answer = await browser.post("/sign-out")

    assert (answer.status_code, "set-cookie" in answer.headers) == (303, False)


async def test_a_session_ends_with_its_token(parts: Parts) -> None:
    """At once; a token of the same name opens no old one."""
    async with window(parts) as browser, parts.ask() as operator:
        made = await operator.post("/v1/tokens", json={"name": "alice", "role": "operator"})
        await sign_in(browser, made.json()["token"])
        before = await browser.get("/")
        await operator.delete("/v1/tokens/alice")
        await operator.post("/v1/tokens", json={"name": "alice", "role": "operator"})
        after = await browser.get("/")

    assert (before.status_code, after.status_code) == (200, 303)
    assert parts.store.tokens.sessions() == []


async def test_a_session_ends_when_its_token_expires(parts: Parts) -> None:
    """Whatever the cookie thinks."""
    body = {"name": "alice", "role": "operator", "expires_at": NOON + 60}
    async with window(parts) as browser, parts.ask() as operator:
        await sign_in(browser, (await operator.post("/v1/tokens", json=body)).json()["token"])
        statuses = []
        for parts.clock.now in (NOON + 59, NOON + 60):
            answer = await browser.get("/")
            statuses.append(answer.status_code)

    assert statuses == [200, 303]


async def test_a_session_ends_after_a_month_and_is_forgotten(parts: Parts) -> None:
    """By whoever signs in next."""
    async with window(parts) as browser:
        await sign_in(browser)
        parts.clock.now = NOON + LIFETIME_SECONDS
        assert (await browser.get("/")).status_code == 303
        await sign_in(browser)

    assert [session.opened_at for session in parts.store.tokens.sessions()] == [parts.clock.now]


async def test_with_one_browser_too_many_the_oldest_is_signed_out(parts: Parts) -> None:
    """A token that is stolen fills no disk."""
    async with window(parts) as first:
        await sign_in(first)
        for number in range(1, MOST_PER_TOKEN + 1):
            assert (await first.get("/")).status_code == 200
            parts.clock.now = NOON + number
            async with window(parts) as browser:
                await sign_in(browser)
                assert (await browser.get("/")).status_code == 200
        assert (await first.get("/")).status_code == 303

    assert len(parts.store.tokens.sessions()) == MOST_PER_TOKEN


async def test_a_restart_signs_nobody_out(parts: Parts, tmp_path: Path) -> None:
    """The wall in the office shows the fleet again by itself."""
    async with window(parts) as browser:
        await sign_in(browser)
        (cookie,) = browser.cookies.values()

    again = build(tmp_path)
    async with window(again) as browser:
        answer = await browser.get("/", headers={"Cookie": f"wgfleet={cookie}"})
    again.close()

    assert answer.status_code == 200


# What is sent.


async def test_the_page_may_load_only_what_is_its_own(parts: Parts) -> None:
    """Nothing inline, nothing from elsewhere, in nobody's frame; and nobody keeps it."""
    async with window(parts) as browser:
        await sign_in(browser)
        page, form = await browser.get("/"), await browser.get("/sign-in", headers={"Cookie": ""})

    for answer in (page, form):
        assert answer.headers["content-security-policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("name", "media"),
    [("style.css", "text/css; charset=utf-8"), ("page.js", "text/javascript; charset=utf-8"),
     ("icon.svg", "image/svg+xml")],
)  # fmt: skip
async def test_what_does_not_change_is_sent_once(parts: Parts, name: str, media: str) -> None:
    """304 to who has it."""
    async with window(parts) as browser:
        first = await browser.get(f"/page/{name}")
        second = await browser.get(f"/page/{name}", headers={"If-None-Match": first.headers["etag"]})

    assert (first.status_code, first.headers["content-type"]) == (200, media)
    assert (second.status_code, second.content) == (304, b"")
    assert first.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", ["nothing.js", "..%2Fview.py", "%2E%2E/routes.py", "templates"])
async def test_there_are_no_other_files(parts: Parts, name: str) -> None:
    """Neither of the package nor of the machine."""
    async with window(parts) as browser:
        assert (await browser.get(f"/page/{name}")).status_code == 404


async def test_while_the_store_is_away_the_page_is_there(parts: Parts) -> None:
    """With the history as it was last read: the worst night is when it is needed."""
    await parts.serve("fra1")
    async with window(parts) as browser:
        await sign_in(browser)
        before = await browser.get("/")
        parts.file._db.close()  # As a disk that is gone.
        after = await browser.get("/")

    assert after.status_code == 200
    assert after.text == before.text


# The stream; more of it is in test_feed.py.


async def test_a_decision_is_sent_to_the_page(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the route itself."""
    monkeypatch.setattr(feed, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(feed, "HEARTBEAT_SECONDS", 2 * LIMIT)  # Too late for whoever is revoked.
    await parts.serve("ams1", "fra1")
    sent: asyncio.Queue[bytes] = asyncio.Queue()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            sent.put_nowait(message["body"])

    async with window(parts) as browser:
        await sign_in(browser)
        (cookie,) = browser.cookies.values()
    scope = {
        "type": "http", "method": "GET", "path": "/page/events", "raw_path": b"/page/events", "query_string": b"",
        "headers": [(b"cookie", f"wgfleet={cookie}".encode())], "scheme": "http", "http_version": "1.1",
        "root_path": "", "client": ("127.0.0.1", 1), "server": ("receiver", 80), "asgi": {"version": "3.0"},
    }  # fmt: skip
    stream = asyncio.create_task(parts.app(scope, asyncio.Queue[Any]().get, send))

    async def until(words: bytes) -> None:
        async with asyncio.timeout(LIMIT):
            while words not in await sent.get():
                pass

    await until(b"fra1 is serving")
    await parts.driver.take(DrainWished("fra1", drain=True), who="alice")
    await until(b"fra1 is draining: an operator is emptying it.")
    parts.receiver.gate.learn([])
    await until(b"event: signed-out")
    async with asyncio.timeout(LIMIT):
        await stream
