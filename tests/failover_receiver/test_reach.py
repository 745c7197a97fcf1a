"""Who reaches what: every route with every role, against the whole table that is meant.

After a change that was meant: `WGFLEET_REWRITE=1 pytest tests/failover_receiver/test_reach.py`, then read the diff.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.routing import BaseRoute, Route

from failover_receiver.access import Role
from tests.failover_receiver.parts import TOKENS, Parts, bearer

pytestmark = pytest.mark.anyio

TABLE = Path(__file__).with_name("reach.txt")
HEADING = (
    "# Who reaches what; made by test_reach.py. 401: a token is needed; 403: another role's; 303: sign in."
)
WHO = (None, *Role)


def routes(parts: Parts) -> list[tuple[str, str]]:
    """All of the application's: of the API by its own description, and those that are not of the API."""
    paths = parts.app.openapi()["paths"]
    described = {(path, method.upper()) for path in paths for method in paths[path]}
    found = {(route.path, method) for route in flat(parts.app.routes) for method in route.methods or ()}
    return sorted(described | {(path, method) for path, method in found if method not in {"HEAD", "OPTIONS"}})


def flat(found: list[BaseRoute]) -> Iterator[Route]:
    """Those of routers within as well."""
    for route in found:
        if isinstance(route, Route):
            yield route
        else:
            router = getattr(route, "original_router", None)
            yield from flat(router.routes if router is not None else [])


async def reach(parts: Parts, path: str, method: str, who: Role | None) -> str:
    """What becomes of somebody who asks for that, with a body that no route understands."""
    headers = {} if who is None else bearer(TOKENS[who])
    transport = httpx.ASGITransport(parts.front)
    async with httpx.AsyncClient(transport=transport, base_url="http://receiver", headers=headers) as http:
        answer = await http.request(method, path.replace("{name}", "nobody"))
    return str(answer.status_code) if answer.status_code in {401, 403, 303} else "yes"


async def test_everybody_reaches_what_the_table_says_and_nothing_else(parts: Parts) -> None:
    """A route that is added without a decision on who may ask it is in no line of the table."""
    parts.receiver.publication.close()  # Or streams would not end.
    parts.receiver.client_list.close()
    parts.receiver.places.close()
    parts.receiver.source.close()

    lines = [HEADING, f"{'':40}" + "".join(f"{who or 'nobody':14}" for who in WHO).rstrip()]
    for path, method in routes(parts):
        told = [await reach(parts, path, method, who) for who in WHO]
        lines.append(f"{method:7}{path:33}" + "".join(f"{one:14}" for one in told).rstrip())
    found = "\n".join(lines) + "\n"

    if os.environ.get("WGFLEET_REWRITE"):
        TABLE.write_text(found)
    assert found == TABLE.read_text()


def test_the_table_leaves_out_nothing(parts: Parts) -> None:
    """The page is not described as part of the API, but it is here."""
    paths = [path for path, _ in routes(parts)]

    assert {"/", "/sign-in", "/page/events", "/v1/alerts", "/v1/peer-set/events", "/health"} <= set(paths)
