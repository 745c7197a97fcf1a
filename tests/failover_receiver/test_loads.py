"""Tests of failover_receiver/loads.py: what Prometheus says, by values, by a server that errs, and by the real one."""

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from failover_receiver.access import Role
from failover_receiver.loads import ANSWER, Load, LoadReader, fresh, newest, understood
from tests.daemons import Page, prometheus
from tests.failover_receiver.alertmanager import NotHereError, recorded
from tests.failover_receiver.parts import LIMIT, NOON, Parts, facts
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.anyio


def answer(*samples: tuple[str, str, str]) -> bytes:
    """Prometheus's answer, with worker, what and value of each sample."""
    result = [
        {"metric": {"worker": worker, "what": what}, "value": [NOON, value]}
        for worker, what, value in samples
    ]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()


def told(*samples: tuple[str, str, str]) -> dict[str, Load]:
    return understood(ANSWER.validate_json(answer(*samples)), now=NOON)


def reader(parts: Parts, http: httpx.AsyncClient, *urls: str) -> LoadReader:
    receiver = parts.receiver
    return LoadReader(urls, http, known=receiver.known_loads, metrics=receiver.metrics, clock=parts.clock)


def test_a_load_is_a_ratio_and_when_it_was_measured() -> None:
    """By the age that Prometheus itself says."""
    assert told(("fra1", "ratio", "0.31"), ("fra1", "age", "12.5")) == {"fra1": Load(0.31, NOON - 12.5)}


def test_a_clock_that_runs_ahead_makes_no_load_of_the_future() -> None:
    """It would be believed for longer than a minute."""
    assert told(("fra1", "ratio", "0.31"), ("fra1", "age", "-300")) == {"fra1": Load(0.31, NOON)}


@pytest.mark.parametrize("ratio", ["NaN", "-0.1", "+Inf"])
def test_what_is_no_ratio_is_no_load(ratio: str) -> None:
    """JSON has no word for it, either."""
    assert told(("fra1", "ratio", ratio), ("fra1", "age", "1")) == {}


def test_half_an_answer_is_no_load() -> None:
    """A ratio of which nobody knows how old it is, or an age of nothing."""
    assert told(("fra1", "ratio", "0.3"), ("ams1", "age", "1")) == {}


def test_of_several_words_the_newest_counts() -> None:
    """Two Prometheis scrape at their own times."""
    old, new = Load(0.9, NOON - 30), Load(0.2, NOON)

    assert newest([{"fra1": old, "ams1": new}, {"fra1": new, "ams1": old}]) == {"fra1": new, "ams1": new}


def test_what_is_older_than_a_minute_is_not_shown() -> None:
    """A minute itself is not older."""
    loads = {"fra1": Load(0.3, NOON - 60.0), "ams1": Load(0.4, NOON - 60.1)}

    assert fresh(loads, now=NOON) == {"fra1": 0.3}


async def test_the_load_stands_in_health_until_it_is_too_old(parts: Parts, http: httpx.AsyncClient) -> None:
    """Beside what was decided, which does not depend on it."""
    await parts.serve("fra1", "ams1")
    with recorded() as server:
        server.body = answer(("fra1", "ratio", "0.31"), ("fra1", "age", "20"))
        await reader(parts, http, server.url).once()

    assert await shown(parts) == {"ams1": None, "fra1": 0.31}
    parts.clock.now += 40.0
    assert await shown(parts) == {"ams1": None, "fra1": 0.31}
    parts.clock.now += 0.1
    assert await shown(parts) == {"ams1": None, "fra1": None}


async def shown(parts: Parts) -> dict[str, Any]:
    async with parts.ask(Role.PROMETHEUS) as http:
        health = (await http.get("/health")).json()
    return {name: worker["load"] for name, worker in health["workers"].items()}


async def test_what_is_known_outlives_one_failed_asking(parts: Parts, http: httpx.AsyncClient) -> None:
    """It grows old, and is not forgotten at once."""
    with recorded() as server:
        loads = reader(parts, http, server.url)
        server.body = answer(("fra1", "ratio", "0.31"), ("fra1", "age", "0"))
        await loads.once()
        server.status = 503
        await loads.once()

    assert parts.receiver.loads == {"fra1": 0.31}


async def test_a_worker_of_which_nothing_more_is_said_is_forgotten(
    parts: Parts, http: httpx.AsyncClient
) -> None:
    """Or those that were ever removed would stay in memory."""
    with recorded() as server:
        loads = reader(parts, http, server.url)
        server.body = answer(("fra1", "ratio", "0.31"), ("fra1", "age", "0"))
        await loads.once()
        server.body = answer()
        parts.clock.now += 61.0
        await loads.once()

    assert parts.receiver.known_loads == {}


async def test_a_failure_is_logged_once_and_counted_each_time(
    parts: Parts, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """And its end is logged, too."""
    caplog.set_level(logging.INFO)
    with recorded() as server:
        loads = reader(parts, http, server.url)
        server.body = b"<html>"
        await loads.once()
        await loads.once()
        server.body = answer()
        await loads.once()
        url = server.url

    assert [fact["prometheus"] for fact in facts(caplog.records, "loads not readable")] == [url]
    assert facts(caplog.records, "loads readable again") == [{"prometheus": url}]
    counted = parts.receiver.metrics.registry.get_sample_value
    name = "wgfleet_receiver_load_readings_total"
    assert counted(name, {"prometheus": url, "outcome": "failed"}) == 2.0
    assert counted(name, {"prometheus": url, "outcome": "read"}) == 1.0


async def test_a_dead_prometheus_does_not_hide_the_others(parts: Parts, http: httpx.AsyncClient) -> None:
    """Nor does one that nobody asks for anything."""
    with recorded() as server:
        server.body = answer(("fra1", "ratio", "0.31"), ("fra1", "age", "0"))
        await reader(parts, http, "http://127.0.0.1:1", server.url).once()

    assert parts.receiver.loads == {"fra1": 0.31}


@pytest.fixture
def exporter() -> Iterator[Page]:
    """What a worker's exporter says of its load."""
    page = Page("# TYPE wireguard_worker_load_ratio gauge\nwireguard_worker_load_ratio 0.31\n")
    yield page
    page.close()


async def test_the_real_prometheus_is_understood(
    parts: Parts, http: httpx.AsyncClient, exporter: Page, tmp_path: Path
) -> None:
    """From an exporter's page to the receiver, with the time of its scrape."""
    configuration = f"""\
scrape_configs:
  - job_name: wgfleet-worker
    scrape_interval: 4s
    scrape_timeout: 1s
    static_configs: [{{targets: ["{exporter.address}"], labels: {{worker: fra1}}}}]
"""
    try:
        real = prometheus(tmp_path, configuration)
    except NotHereError as error:
        pytest.skip(str(error))
    loads = reader(parts, http, real.url)
    try:
        wait_until(lambda: 1.0 < age(real.url) < 3.0, LIMIT, "a sample that is not new")
        parts.clock.now = time.time()
        await loads.once()
    finally:
        real.close()

    assert parts.receiver.loads == {"fra1": 0.31}
    assert 1.0 <= parts.clock.now - parts.receiver.known_loads["fra1"].at < 5.0


def age(url: str) -> float:
    """Of the last sample, as Prometheus says; 0 while there is none."""
    query = {"query": "time() - timestamp(wireguard_worker_load_ratio)"}
    result = httpx.get(f"{url}/api/v1/query", params=query, trust_env=False).json()["data"]["result"]
    return float(result[0]["value"][1]) if result else 0.0
