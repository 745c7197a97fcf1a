"""Tests of failover_receiver/routes/leaving.py: what a worker may ask for itself, and what it may not."""

import httpx
import pytest
from pydantic import TypeAdapter

from failover_receiver.access import Role
from failover_receiver.acks import Ack
from failover_receiver.state import State, Worker
from tests.failover_receiver.parts import NOON, Parts
from tests.failover_receiver.story import spec

pytestmark = pytest.mark.anyio

ME = Role.WORKER.value
"""The worker is the one that the token names."""


async def ask(
    parts: Parts, method: str, path: str, *, who: Role = Role.WORKER, **said: int | str
) -> httpx.Response:
    """One request, by its own token unless said otherwise."""
    async with parts.ask(who) as http:
        return await http.request(method, path, params=said)


async def test_a_worker_drains_itself_and_comes_back(parts: Parts) -> None:
    """It is told by which document; whoever looks sees whose wish it is."""
    await parts.serve(ME, "ams1")

    drained = await ask(parts, "PUT", "/v1/self/drain")
    told = await ask(parts, "GET", "/v1/workers", who=Role.OPERATOR)
    health = await ask(parts, "GET", "/health", who=Role.OPERATOR)
    back = await ask(parts, "DELETE", "/v1/self/drain")

    number = {"epoch": 1, "generation": parts.state.generation - 1}
    assert drained.json() == {**number, "drain": True, "own": True}
    me = told.json()["workers"][ME]
    assert (me["state"], me["reason"], me["drain"], me["drain_own"]) == (
        "draining", "drained_itself", True, True,
    )  # fmt: skip
    assert health.json()["workers"][ME]["reason"] == "drained_itself"
    assert (back.json()["drain"], back.json()["own"]) == (False, False)
    assert parts.states == {ME: "serving", "ams1": "serving"}


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_another_fleets_worker_drains_nobody_here(parts: Parts, method: str) -> None:
    """Though its token opens; one that names its fleet rightly is heard."""
    await parts.serve(ME, "ams1")

    refused = await ask(parts, method, "/v1/self/drain", fleet="other")
    heard = await ask(parts, method, "/v1/self/drain", fleet=parts.state.fleet)

    assert refused.status_code == 409
    assert "this is a receiver of fleet 'test'" in refused.json()["error"]
    assert heard.json()["drain"] is (method == "PUT")


async def test_the_history_names_the_worker(parts: Parts) -> None:
    """By the name of its token, with its own reason."""
    await parts.serve(ME, "ams1")

    await ask(parts, "PUT", "/v1/self/drain")

    (event,) = (await ask(parts, "GET", "/v1/events", who=Role.OPERATOR)).json()[-1:]
    assert (event["who"], event["subject"], event["after"], event["reason"]) == (
        ME, ME, "draining", "drained_itself",
    )  # fmt: skip


async def test_the_last_one_that_may_be_used_is_refused(parts: Parts) -> None:
    """409 with what could be done, and it serves on."""
    await parts.serve(ME)

    refused = await ask(parts, "PUT", "/v1/self/drain")

    error = f"no worker but {ME} may be used, so it does not drain itself: add another, or drain it as an operator"
    assert (refused.status_code, refused.json()) == (409, {"error": error})
    assert parts.states == {ME: "serving"}


async def test_an_operators_drain_is_not_the_workers_to_lift(parts: Parts) -> None:
    """Asked first or last, it stays the operator's."""
    await parts.serve(ME, "ams1")
    await ask(parts, "PUT", "/v1/self/drain")
    await ask(parts, "PUT", f"/v1/workers/{ME}/drain", who=Role.OPERATOR)

    again = await ask(parts, "PUT", "/v1/self/drain")
    refused = await ask(parts, "DELETE", "/v1/self/drain")

    assert (again.json()["drain"], again.json()["own"]) == (True, False)
    error = f"{ME} is drained by an operator, not by itself: `wgfleet worker undrain {ME}` lifts that"
    assert (refused.status_code, refused.json()) == (409, {"error": error})
    assert parts.states[ME] == "draining"


async def test_it_is_told_how_many_are_left_and_not_who(parts: Parts) -> None:
    """As `drain --wait` counts: users, those that have not heard, connections, and whether all were heard."""
    await parts.serve(ME, "ams1")
    acks = parts.receiver.acks
    acks["ann"] = Ack(1, 9, ME, NOON)
    acks["bob"] = Ack(1, 8, "ams1", NOON)
    acks["eve"] = Ack(1, 9, "ams1", NOON, draining={ME: 7})
    acks["fay"] = Ack(1, 9, "ams1", NOON, draining={ME: None})

    left = await ask(parts, "GET", "/v1/self/clients", epoch=1, generation=9)

    assert left.json() == {"using": 1, "behind": 1, "connections": 7, "uncounted": 1, "sure_in": 150.0}


@pytest.mark.parametrize(("method", "path"), [("PUT", "/drain"), ("DELETE", "/drain"), ("GET", "/clients")])
async def test_a_token_that_names_no_worker_is_told_so(parts: Parts, method: str, path: str) -> None:
    """404: a worker that was removed has nothing to drain."""
    await parts.serve("ams1")

    answer = await ask(parts, method, f"/v1/self{path}")

    assert answer.status_code == 404
    assert answer.json()["error"].startswith(f"there is no worker '{ME}'")


def test_a_state_that_was_kept_before_there_were_own_drains_is_read() -> None:
    """Its drains are the operators'."""
    keeper = TypeAdapter(State)
    kept = keeper.dump_json(State("test", workers={"fra1": Worker(spec(1), drain=True)}))
    old = kept.replace(b'"drain_own":false,', b"")

    assert old != kept
    assert keeper.validate_json(old).workers["fra1"].drain_own is False
