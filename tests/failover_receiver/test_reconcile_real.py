"""Tests of failover_receiver/reconcile.py with Debian's Alertmanager, where it can run."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.failover_receiver.alertmanager import NotHereError, Real, reader
from tests.failover_receiver.parts import LIMIT, NOON, Parts, rfc3339, seen
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.anyio


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Real]:
    """Debian's, if it can run here."""
    try:
        real = Real(tmp_path)
    except NotHereError as error:
        pytest.skip(str(error))
    yield real
    real.close()


def given(kind: str, worker: str | None = None) -> dict[str, Any]:
    """An alert as Prometheus gives it to Alertmanager."""
    firing = seen(kind, worker, NOON)
    labels = {"alertname": firing.name, "action": firing.action.value, "severity": "critical"}
    now = time.time()
    return {
        "labels": labels | ({"worker": worker} if worker else {}),
        "startsAt": rfc3339(now),
        "endsAt": rfc3339(now + 300.0),
    }


async def test_the_real_alertmanager_is_read_with_what_it_silences_and_inhibits(
    parts: Parts, alertmanager: Real, http: httpx.AsyncClient
) -> None:
    """fra1 is silenced, ams1 is inhibited: both die, and both are taken out."""
    parts.clock.now = time.time() - 1.0
    await parts.serve("fra1", "ams1", "lon1", "par1")
    now = time.time()
    silence = {
        "matchers": [{"name": "worker", "value": "fra1", "isRegex": False, "isEqual": True}],
        "startsAt": rfc3339(now),
        "endsAt": rfc3339(now + 300.0),
        "createdBy": "test",
        "comment": "a planned repair",
    }
    alertmanager.post("silences", silence)
    source = given("blind")  # What inhibits carries no action here: or it would hold everything.
    del source["labels"]["action"]
    alertmanager.post("alerts", [source, given("watchdog"), given("down", "fra1"), given("down", "ams1")])
    reconciler = reader(parts, http, alertmanager.url)

    wait_until(lambda: suppressed(alertmanager) == ["ams1", "fra1"], LIMIT, "both to be suppressed")
    parts.clock.now = time.time()
    await reconciler.once()

    assert parts.states == {"ams1": "down", "fra1": "down", "lon1": "serving", "par1": "serving"}


def suppressed(alertmanager: Real) -> list[str]:
    """The workers whose alerts it would tell nobody."""
    held = alertmanager.http.get("/alerts").json()
    return sorted(one["labels"]["worker"] for one in held if one["status"]["state"] == "suppressed")


async def test_the_real_alertmanager_dies_and_nobody_is_moved(
    parts: Parts, alertmanager: Real, http: httpx.AsyncClient
) -> None:
    """What it held is not over because it is gone."""
    parts.clock.now = time.time() - 1.0
    await parts.serve("fra1", "ams1")
    alertmanager.post("alerts", [given("watchdog"), given("down", "fra1")])
    reconciler = reader(parts, http, alertmanager.url)
    parts.clock.now = time.time()
    await reconciler.once()
    before = parts.state

    alertmanager.close()
    await reconciler.once()

    assert parts.state is before
    assert parts.states == {"ams1": "serving", "fra1": "down"}
