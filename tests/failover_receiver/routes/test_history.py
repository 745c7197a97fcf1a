"""Tests of `GET /v1/events`: the history, page by page."""

from typing import Any

import httpx
import pytest

from failover_receiver.access import Role
from tests.failover_receiver.keeping import DOWN, save_all
from tests.failover_receiver.parts import Parts
from tests.failover_receiver.story import spec

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


async def operate(parts: Parts, method: str, path: str, body: object = None) -> dict[str, Any]:
    """An operator's command; what the history says of it."""
    async with parts.ask(Role.OPERATOR) as http:
        answer = await http.request(method, path, json=body)
    assert answer.status_code == 200, answer.text
    event = (await ask(parts, limit=1)).json()[0]
    return {key: event[key] for key in ("who", "what", "subject", "reason")}


async def test_a_drain_that_no_published_state_shows_is_in_the_history(parts: Parts) -> None:
    """A banned worker stays banned; that it is drained counts once the ban is lifted."""
    await parts.serve("ams1", "fra1")
    await operate(parts, "PUT", "/v1/workers/fra1/ban")

    drained = await operate(parts, "PUT", "/v1/workers/fra1/drain")
    lifted = await operate(parts, "DELETE", "/v1/workers/fra1/drain")
    before = (await ask(parts)).json()
    await operate(parts, "DELETE", "/v1/workers/fra1/drain")

    said = {"who": "operator", "subject": "fra1", "reason": "it stays banned"}
    assert (drained, lifted) == ({**said, "what": "drained"}, {**said, "what": "drain lifted"})
    assert (await ask(parts)).json() == before, "what changes nothing is not said"


async def test_a_worker_with_another_key_is_said_to_have_one(parts: Parts) -> None:
    """Before what was decided of it: monitoring begins anew."""
    await parts.serve("ams1", "fra1")
    known = parts.state.workers["fra1"].spec
    new = spec(77).public_key

    await operate(parts, "PATCH", "/v1/workers/fra1?new_key=true", {"public_key": new})

    changed, decided = (await ask(parts, limit=2)).json()
    assert (changed["what"], changed["subject"]) == ("key changed", "fra1")
    assert changed["reason"] == f"from {known.public_key[:8]}… to {new[:8]}…"
    assert (decided["what"], decided["after"]) == ("decided", "joining")


@pytest.mark.parametrize("before", [0, -1, 2**63, "yesterday"])
async def test_a_place_that_cannot_be_is_refused(parts: Parts, before: object) -> None:
    """With the parameter's name."""
    answer = await ask(parts, before=before)

    assert answer.status_code == 422
    assert answer.json()["error"].startswith("query.before: is ")
