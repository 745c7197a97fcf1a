"""Tests of failover_receiver/routes/health.py: whole answers."""

from typing import Any

import pytest

from failover_receiver.access import Role
from failover_receiver.state import DrainWished, WorkerRegistered
from tests.failover_receiver.parts import NOON, Parts, seen
from tests.failover_receiver.story import spec
from tests.failover_receiver.watching import Stream

pytestmark = pytest.mark.anyio


async def health(parts: Parts) -> Any:
    """What Prometheus is told."""
    async with parts.ask(Role.PROMETHEUS) as http:
        answer = await http.get("/health")
    assert answer.status_code == 200
    return answer.json()


def told(status: str, state: str, reason: str, since: float | None, **other: Any) -> dict[str, Any]:
    """One worker's part of the answer."""
    about = {"status": status, "state": state, "reason": reason, "since": since}
    return {**about, "monitored": True, "load": None, "clients": 0, **other}


async def test_an_empty_receiver_is_blind(parts: Parts) -> None:
    """It says why."""
    assert await health(parts) == {
        "fleet": "test",
        "epoch": 1,
        "generation": 0,
        "monitoring": "blind",
        "frozen_by": "no Watchdog for 20 s",
        "workers": {},
    }


async def test_every_status_is_told_with_its_reason_and_its_time(parts: Parts) -> None:
    """One worker of each kind."""
    names = ["up", "drained", "dead", "sick", "back", "new"]
    await parts.serve(*names[:-1])
    await parts.driver.take(WorkerRegistered("new", spec(6)), who="operator")
    await parts.driver.take(DrainWished("drained", drain=True), who="operator")
    parts.clock.now = NOON + 10.0
    ups = [seen("up", name, NOON + 10.0) for name in ("up", "drained")]
    failed = [seen("down", "dead", NOON + 10.0), seen("degraded", "sick", NOON + 10.0)]
    await parts.hear(*ups, *failed, seen("down", "back", NOON + 10.0))
    parts.clock.now = NOON + 20.0
    again = [seen("up", name, NOON + 20.0) for name in ("up", "drained", "back")]
    await parts.hear(*again, seen("down", "dead", NOON + 20.0), seen("degraded", "sick", NOON + 20.0))

    answer = await health(parts)

    assert answer["workers"] == {
        "up": told("online", "serving", "up", NOON),
        "drained": told("online", "draining", "drained", NOON),
        "dead": told("offline", "suspect", "too_many_down", NOON + 10.0),
        "sick": told("offline", "suspect", "too_many_down", NOON + 10.0),
        "back": told("online", "suspect", "too_many_down", NOON + 10.0),
        "new": told("unknown", "joining", "registered", NOON, monitored=False),
    }
    assert (answer["monitoring"], answer["frozen_by"]) == ("live", None)
    assert answer["generation"] == parts.state.generation


async def test_a_worker_that_nobody_probes_is_shown_as_unmonitored(parts: Parts) -> None:
    """Six probe intervals without Up, Down or Degraded: it keeps its state, and somebody should look."""
    await parts.serve("fra1")
    parts.clock.now += 179.9
    assert (await health(parts))["workers"]["fra1"]["monitored"] is True

    parts.clock.now += 0.1

    worker = (await health(parts))["workers"]["fra1"]
    assert (worker["monitored"], worker["state"]) == (False, "serving")


async def test_a_blind_vantage_is_told(parts: Parts) -> None:
    """Nothing moves, and this is why."""
    await parts.serve("fra1")

    await parts.hear(seen("blind", None, NOON), seen("up", "fra1", NOON))

    answer = await health(parts)
    assert (answer["monitoring"], answer["frozen_by"]) == ("blind", "the vantage says that it sees nothing")


async def test_a_live_process_answers(parts: Parts) -> None:
    """Whatever its store does."""
    async with parts.ask(None) as http:
        answer = await http.get("/livez")

    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


async def test_readiness_is_that_of_the_store(parts: Parts) -> None:
    """503 with the reason while it does not answer."""
    async with parts.ask(None) as http:
        before = await http.get("/readyz")
        parts.store.close()
        after = await http.get("/readyz")

    assert (before.status_code, before.json()) == (200, {"status": "ready"})
    assert after.status_code == 503
    assert after.json()["error"].startswith("the store failed: Cannot operate on a closed database.")


async def test_metrics_are_in_prometheuss_own_format(parts: Parts) -> None:
    """With the number of open streams of this moment."""
    for _ in range(3):
        parts.publication.streams.join(Stream().watcher)
    async with parts.ask(Role.PROMETHEUS) as http:
        answer = await http.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "wgfleet_receiver_watchers 3.0\n" in answer.text
