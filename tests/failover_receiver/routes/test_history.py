"""Tests of `GET /v1/events`: the history, page by page."""

from typing import Any

import httpx
import pytest

from failover_receiver.access import Role
from tests.failover_receiver.keeping import DOWN, save_all
from tests.failover_receiver.parts import Parts

pytestmark = pytest.mark.anyio


async def ask(parts: Parts, **asked: Any) -> httpx.Response:
    """An operator asks."""
    async with parts.ask(Role.OPERATOR) as http:
        return await http.get("/v1/events", params=asked)


async def test_the_history_is_read_backwards(parts: Parts) -> None:
    """The id of a page's first event asks for the page before it."""
    save_all(parts.store, range(1, 6))

    newest = (await ask(parts, limit=2)).json()
    older = (await ask(parts, limit=2, before=newest[0]["id"])).json()
    oldest = (await ask(parts, limit=2, before=older[0]["id"])).json()
    none = (await ask(parts, before=oldest[0]["id"])).json()

    assert [[event["generation"] for event in page] for page in (newest, older, oldest, none)] == [
        [4, 5], [2, 3], [1], []
    ]  # fmt: skip
    assert newest[0]["subject"] == DOWN.worker


@pytest.mark.parametrize("before", [0, -1, 2**63, "yesterday"])
async def test_a_place_that_cannot_be_is_refused(parts: Parts, before: object) -> None:
    """With the parameter's name."""
    answer = await ask(parts, before=before)

    assert answer.status_code == 422
    assert answer.json()["error"].startswith("query.before: is ")
