"""Tests of failover_receiver/headers.py."""

import httpx
import pytest

from failover_receiver.access import Role
from failover_receiver.headers import SecurityHeaders
from tests.failover_receiver.parts import Parts

pytestmark = pytest.mark.anyio

EVERYWHERE = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def said(answer: httpx.Response) -> dict[str, str]:
    """What browsers are told."""
    names = (*EVERYWHERE, "strict-transport-security")
    return {name: answer.headers[name] for name in names if name in answer.headers}


@pytest.mark.parametrize("path", ["/health", "/livez", "/v1/workers", "/no-such-route"])
async def test_every_answer_tells_browsers_to_do_nothing_with_it(parts: Parts, path: str) -> None:
    """Refusals as well."""
    async with parts.ask() as http:
        assert said(await http.get(path)) == EVERYWHERE


async def test_what_a_route_says_itself_stands(parts: Parts) -> None:
    """A document is kept for its next 304."""
    await parts.serve("fra1")

    async with parts.ask(Role.CLIENT) as http:
        answer = await http.get("/v1/peer-set")

    assert answer.headers.get_list("cache-control") == ["no-cache"]


async def test_plain_http_is_ruled_out_where_there_is_tls(parts: Parts) -> None:
    """For this name, for thirty days; it is not said where it could not be kept."""
    transport = httpx.ASGITransport(SecurityHeaders(parts.app))
    async with httpx.AsyncClient(transport=transport, base_url="https://receiver") as http:
        answer = await http.get("/livez")

    assert said(answer) == {**EVERYWHERE, "strict-transport-security": "max-age=2592000"}
