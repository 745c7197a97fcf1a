"""Tests of failover_receiver/routes/simulations.py."""

from typing import Any

import pytest

from failover_receiver.access import Holder, Role
from failover_receiver.acks import Ack
from tests.failover_receiver.parts import NOON, Parts, facts, posted

pytestmark = pytest.mark.anyio

DOWN = {"do": "down", "workers": ["fra1"]}


async def played(parts: Parts, *steps: dict[str, Any], **other: Any) -> Any:
    async with parts.ask() as http:
        answer = await http.post("/v1/simulations", json={"steps": steps, **other})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(parts: Parts, body: Any) -> tuple[int, str]:
    async with parts.ask() as http:
        answer = await http.post("/v1/simulations", json=body)
    return answer.status_code, answer.json()["error"]


async def test_a_what_if_is_told_whole(parts: Parts) -> None:
    """Each step, each worker's end, and how many clients would move."""
    await parts.serve("fra1", "ams1")
    shown = parts.publication.shown
    assert shown is not None
    parts.receiver.acknowledge(
        Holder("laptop", Role.CLIENT, "laptop"),
        Ack(shown.document.epoch, shown.document.generation, "fra1", NOON),
    )

    assert await played(parts, DOWN) == {
        "fleet": "test",
        "steps": [
            {
                "at": 0.001,
                "step": "down fra1",
                "decided": [
                    {
                        "at": 0.001,
                        "worker": "fra1",
                        "before": "serving",
                        "after": "down",
                        "reason": "worker_down",
                    }
                ],
                "refused": None,
            }
        ],
        "monitoring": "live",
        "frozen_by": None,
        "workers": {
            "ams1": {"before": "serving", "state": "serving", "reason": "up", "clients": 0, "must_move": 0},
            "fra1": {
                "before": "serving",
                "state": "down",
                "reason": "worker_down",
                "clients": 1,
                "must_move": 1,
            },
        },
        "must_move": 1,
        "warnings": [],
        "ignored": [],
    }


async def test_nothing_is_kept_shown_counted_or_logged(
    parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    """The same state, the same document, the same history, the same metrics."""
    await parts.serve("fra1", "ams1")
    caplog.clear()
    before = (parts.state, parts.publication.shown, parts.receiver.metrics.registry)
    async with parts.ask() as http:
        history = (await http.get("/v1/events")).json()
        counted = parts.receiver.metrics.registry.get_sample_value(
            "wgfleet_receiver_decisions_total", {"state": "down", "reason": "worker_down"}
        )

    await played(parts, DOWN, {"do": "ban", "workers": ["ams1"]})

    assert (parts.state, parts.publication.shown, parts.receiver.metrics.registry) == before
    async with parts.ask() as http:
        assert (await http.get("/v1/events")).json() == history
    assert counted == 0.0
    assert (
        parts.receiver.metrics.registry.get_sample_value(
            "wgfleet_receiver_decisions_total", {"state": "down", "reason": "worker_down"}
        )
        == 0.0
    )
    assert facts(caplog.records, "decided") == []


async def test_each_kind_of_step_is_understood(parts: Parts) -> None:
    """In the order in which they are given."""
    await parts.serve("fra1", "ams1", "lon1", "par1")
    every = (
        "down",
        "up",
        "degraded",
        "up",
        "overloaded",
        "drain",
        "undrain",
        "ban",
        "unban",
        "admit",
        "remove",
    )

    answer = await played(
        parts,
        *({"do": what, "workers": ["fra1"]} for what in every),
        {"do": "wait", "seconds": 5},
        {"do": "prometheus-dead"},
    )

    assert [step["step"] for step in answer["steps"]] == [
        *(f"{what} fra1" for what in every),
        "wait 5 s",
        "Prometheus dies",
    ]
    assert "fra1" not in answer["workers"]


async def test_alerts_are_taken_as_alertmanager_posts_them(parts: Parts) -> None:
    """At the time that is said; when they began and what else they carry counts for nothing."""
    await parts.serve("fra1", "ams1")
    down, up = posted("down", "fra1", NOON - 9000), posted("up", "fra1", NOON - 9000, ended_at=NOON - 8000)

    answer = await played(parts, {"do": "alerts", "at": 20, "alerts": [down, up]})

    assert answer["steps"][0]["step"] == "WireGuardWorkerDown fra1 fires, WireGuardWorkerUp fra1 ends"
    assert [(one["at"], one["after"]) for one in answer["steps"][0]["decided"]] == [(20.001, "down")]


async def test_alerts_that_would_count_for_nothing_are_told_with_the_reason(parts: Parts) -> None:
    """Without an action, or of a worker that is not registered."""
    await parts.serve("fra1")
    other = {"labels": {"alertname": "DiskFull"}}

    answer = await played(parts, {"do": "alerts", "alerts": [other, posted("down", "nowhere", NOON)]})

    assert answer["ignored"] == [
        {
            "alertname": "DiskFull",
            "reason": "label action is '', this receiver acts on failover, admit, spare, hold, watchdog",
        },
        {
            "alertname": "WireGuardWorkerDown",
            "reason": "label worker is 'nowhere', registered are: fra1",
        },
    ]
    assert answer["steps"][0]["step"] == "no alert that counts"


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"steps": []}, 422, "body.steps: is []: 1 or more of them were expected"),
        ({"steps": [{"do": "explode"}]}, 422, "body.steps.0.do: is 'explode': 'down'"),
        ({"steps": [{"do": "down"}]}, 422, "down needs workers"),
        ({"steps": [{"do": "wait"}]}, 422, "wait needs seconds"),
        ({"steps": [{"do": "alerts"}]}, 422, "alerts needs alerts"),
        ({"steps": [{"do": "wait", "seconds": 86400}]}, 422, "3600 or less was expected"),
        (
            {"steps": [{"do": "down", "workers": ["lon1"]}]},
            409,
            "there is no worker 'lon1'; registered: none",
        ),
        ({"steps": [{"do": "wait", "seconds": 3000}] * 2}, 409, "the steps take 6000 s, at most 3600 s"),
    ],
)
async def test_what_cannot_be_played_is_refused(parts: Parts, body: Any, status: int, said: str) -> None:
    """With the field and what would be right."""
    code, error = await refused(parts, body)

    assert code == status
    assert said in error


async def test_only_operators_may_ask(parts: Parts) -> None:
    """It tells the whole fleet's state."""
    async with parts.ask(Role.PROMETHEUS) as http:
        answer = await http.post("/v1/simulations", json={"steps": [DOWN]})

    assert answer.status_code == 403
