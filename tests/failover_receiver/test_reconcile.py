"""Tests of failover_receiver/reconcile.py: readings of real servers, one of them Debian's Alertmanager."""

import asyncio
import datetime as dt
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from failover_receiver import reading as module
from failover_receiver.state import AlertsDelivered
from failover_receiver.store import sqlite as store_module
from tests.failover_receiver.alertmanager import Recorded, listed, reader, recorded
from tests.failover_receiver.parts import LIMIT, NOON, Parts, build, facts, rfc3339, seen
from wgfleet.peerset import Monitoring

pytestmark = pytest.mark.anyio

RECORDED = (Path(__file__).parent / "recorded" / "active-alerts.json").read_bytes()
RECORDED_AT = dt.datetime(2026, 11, 22, 16, 15, 8, tzinfo=dt.UTC).timestamp()


@pytest.fixture
def one() -> Iterator[Recorded]:
    """An Alertmanager."""
    with recorded() as server:
        yield server


@pytest.fixture
def other() -> Iterator[Recorded]:
    """Another one."""
    with recorded() as server:
        yield server


def alert(kind: str, worker: str | None = None, *, updated: float = NOON) -> dict[str, Any]:
    """An alert as it is listed, with the fingerprint that `seen` gives it."""
    firing = seen(kind, worker, NOON)
    labels = {"alertname": firing.name, "action": firing.action.value}
    known = listed(
        labels | ({"worker": worker} if worker else {}), started=rfc3339(NOON), updated=rfc3339(updated)
    )
    return {**known, "fingerprint": firing.fingerprint}


def monitoring(parts: Parts) -> Monitoring:
    """Whether it can be believed."""
    return parts.state.monitoring


def readings(parts: Parts, url: str, outcome: str) -> float | None:
    """How many readings of that outcome were counted."""
    return parts.receiver.metrics.registry.get_sample_value(
        "wgfleet_receiver_alertmanager_readings_total", {"alertmanager": url, "outcome": outcome}
    )


# What is read.


async def test_a_recorded_answer_takes_silenced_and_inhibited_workers_out(
    parts: Parts, one: Recorded, http: httpx.AsyncClient
) -> None:
    """What Alertmanager 0.25 listed: a is silenced, b is inhibited, c is up; both that are down are left."""
    parts.clock.now = RECORDED_AT
    await parts.serve("a", "b", "c", "d", "e")
    one.body = RECORDED

    await reader(parts, http, one).once()

    assert parts.states == {"a": "down", "b": "down", "c": "serving", "d": "serving", "e": "serving"}


async def test_everything_is_asked_for(parts: Parts, one: Recorded, http: httpx.AsyncClient) -> None:
    """A silence mutes people, not failover: nothing may be filtered."""
    await reader(parts, http, one).once()

    (asked,) = map(urlsplit, one.asked)
    assert asked.path == "/api/v2/alerts"
    assert parse_qs(asked.query) == {
        "active": ["true"],
        "silenced": ["true"],
        "inhibited": ["true"],
        "unprocessed": ["true"],
    }


async def test_what_is_no_longer_listed_is_over(parts: Parts, one: Recorded, http: httpx.AsyncClient) -> None:
    """The lost resolve of a vantage that was cut off: with the next reading, monitoring is believed again."""
    await parts.serve("fra1")
    await parts.hear(seen("blind", None, NOON))
    assert monitoring(parts) is Monitoring.BLIND
    parts.clock.now += 3.0
    one.holds(alert("watchdog", updated=NOON + 2.0))

    await reader(parts, http, one).once()

    assert monitoring(parts) is Monitoring.LIVE


async def test_the_union_of_all_alertmanagers_counts(
    parts: Parts, one: Recorded, other: Recorded, http: httpx.AsyncClient
) -> None:
    """Prometheus may have reached one of the two only."""
    await parts.serve("a", "b", "c", "d")
    one.holds(alert("watchdog"), alert("down", "a"))
    other.holds(alert("watchdog"), alert("down", "b"))

    await reader(parts, http, one, other).once()

    assert parts.states == {"a": "down", "b": "down", "c": "serving", "d": "serving"}


async def test_what_one_of_two_does_not_list_is_not_over_while_the_other_is_silent(
    parts: Parts, one: Recorded, other: Recorded, http: httpx.AsyncClient
) -> None:
    """It may be the silent one that holds it; once it answers, what neither lists is over."""
    await parts.serve("fra1")
    await parts.hear(seen("blind", None, NOON))
    parts.clock.now += 3.0
    one.holds(alert("watchdog", updated=NOON + 2.0))
    other.status = 503
    both = reader(parts, http, one, other)

    await both.once()
    assert monitoring(parts) is Monitoring.BLIND
    other.status = 200
    await both.once()

    assert monitoring(parts) is Monitoring.LIVE


async def test_a_webhook_that_comes_during_a_reading_is_not_contradicted_by_it(
    parts: Parts, one: Recorded, http: httpx.AsyncClient
) -> None:
    """The list was made before the alert came."""
    await parts.serve("fra1", "ams1")
    one.holds(alert("watchdog"), alert("up", "ams1"))
    one.go_on.clear()
    parts.clock.now = NOON + 1.0
    reading = asyncio.ensure_future(reader(parts, http, one).once())
    await asyncio.get_running_loop().run_in_executor(None, one.begun.wait, LIMIT)

    parts.clock.now = NOON + 1.5
    await parts.driver.take(AlertsDelivered((seen("down", "fra1", NOON + 1.5),)), who="alertmanager")
    parts.clock.now = NOON + 2.0
    one.go_on.set()
    await reading

    assert parts.state.alerts["down/fra1"].ended_at is None
    assert parts.states["fra1"] == "down"


# What cannot be read.


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (500, b"", "Server error '500 Internal Server Error'"),
        (301, b"", "Redirect response '301 Moved Permanently'"),
        (200, b"<html>", "Invalid JSON"),
        (200, b'{"status": "success", "data": []}', "Input should be a valid array"),
        (200, b'[{"labels": {}}]', "startsAt\n  Field required"),
    ],
)
async def test_an_answer_that_is_none_is_not_an_empty_list(
    parts: Parts,
    one: Recorded,
    http: httpx.AsyncClient,
    caplog: pytest.LogCaptureFixture,
    *,
    status: int,
    body: bytes,
    said: str,
) -> None:
    """Nothing is over because a proxy answers nonsense; the log has the reason, the metric the number."""
    before = await parts.serve("fra1", "ams1")
    one.status, one.body, one.headers = status, body, {"Location": "/elsewhere"}

    await reader(parts, http, one).once()

    assert parts.state is before
    (complaint,) = facts(caplog.records, "alertmanager not readable")
    assert complaint["alertmanager"] == one.url
    assert said in str(complaint["error"])
    assert readings(parts, one.url, "failed") == 1.0


async def test_an_alertmanager_that_is_not_there_changes_nothing(
    parts: Parts, http: httpx.AsyncClient
) -> None:
    """Nor does having none at all."""
    before = await parts.serve("fra1")

    await reader(parts, http, "http://127.0.0.1:1").once()
    await reader(parts, http).once()

    assert parts.state is before


@pytest.mark.parametrize("endless", [False, True], ids=["silent", "dripping"])
async def test_an_alertmanager_that_hangs_does_not_hold_the_others_up(
    parts: Parts,
    one: Recorded,
    other: Recorded,
    http: httpx.AsyncClient,
    *,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    endless: bool,
) -> None:
    """Whether it says nothing or a byte now and then: its time is limited."""
    await parts.serve("a", "b", "c")
    one.holds(alert("watchdog"), alert("down", "a"))
    if endless:
        other.endless = True
    else:
        other.go_on.clear()
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.2)

    async with asyncio.timeout(LIMIT):
        await reader(parts, http, one, other).once()

    assert parts.states["a"] == "down"
    (complaint,) = facts(caplog.records, "alertmanager not readable")
    assert (complaint["alertmanager"], complaint["error"]) == (other.url, "no whole answer in 0.2 s")


async def test_a_complaint_is_made_once_and_its_end_is_told(
    parts: Parts, one: Recorded, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Not every three seconds for a night; but another reason is news."""
    caplog.set_level(logging.INFO)
    reconciler = reader(parts, http, one)

    for status in (200, 500, 500, 500, 404, 404, 200, 200, 500):
        one.status = status
        await reconciler.once()

    told = [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.getMessage().startswith("alertmanager")
    ]
    not_readable, again = ("WARNING", "alertmanager not readable"), ("INFO", "alertmanager readable again")
    assert told == [not_readable, not_readable, again, not_readable]
    assert (readings(parts, one.url, "failed"), readings(parts, one.url, "read")) == (6.0, 3.0)


async def test_a_store_that_fails_does_not_end_the_readings(
    tmp_path: Path,
    one: Recorded,
    http: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What could not be kept is logged; the next reading brings it again."""
    monkeypatch.setattr(store_module, "BUSY_SECONDS", 0.01)
    parts = build(tmp_path)
    await parts.serve("a", "b")
    one.holds(alert("watchdog"), alert("down", "a"))
    reconciler = reader(parts, http, one)
    lock = sqlite3.connect(tmp_path / "receiver.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")

    await reconciler.once()
    held_up = parts.states
    lock.execute("ROLLBACK")
    await reconciler.once()

    assert held_up == {"a": "serving", "b": "serving"}
    assert parts.states == {"a": "down", "b": "serving"}
    assert "database is locked" in str(facts(caplog.records, "not kept")[0]["error"])
    lock.close()
    parts.close()


async def test_readings_go_on_until_they_are_stopped(
    parts: Parts, one: Recorded, http: httpx.AsyncClient
) -> None:
    """One after the other, with the pause between them that was configured."""
    running = asyncio.ensure_future(reader(parts, http, one).run(0.001))
    async with asyncio.timeout(LIMIT):
        while len(one.asked) < 3:
            one.begun.clear()
            await asyncio.get_running_loop().run_in_executor(None, one.begun.wait, LIMIT)
    assert not running.done()

    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert running.cancelled()
