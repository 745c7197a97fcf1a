"""Tests of failover_receiver/intake.py and webhooks.py: what becomes of what arrives."""

import asyncio
import json
import logging
from typing import Any

import pytest

from failover_receiver.access import Role
from tests.failover_receiver.parts import NOON, TOKENS, Parts, facts, posted, webhook

pytestmark = pytest.mark.anyio


async def post(parts: Parts, body: Any) -> tuple[int, Any]:
    """Alertmanager posts; status and answer."""
    async with parts.ask(Role.ALERTMANAGER) as http:
        answer = await http.post("/v1/alerts", json=body)
    return answer.status_code, answer.json()


def counted(parts: Parts, alertname: str, status: str, outcome: str) -> float | None:
    """How many such alerts were counted."""
    labels = {"alertname": alertname, "status": status, "outcome": outcome}
    return parts.receiver.metrics.registry.get_sample_value("wgfleet_receiver_alerts_total", labels)


async def test_a_delivery_is_answered_with_the_generation_that_it_made(parts: Parts) -> None:
    """2xx: by then the change is durable and shown, under that number."""
    await parts.serve("fra1", "ams1")

    answer = await post(parts, webhook(posted("down", "fra1", NOON)))

    assert answer == (200, {"accepted": 1, "ignored": [], "generation": 4})
    assert parts.states == {"ams1": "serving", "fra1": "down"}
    kept = parts.store.load()
    assert kept is not None
    assert kept.generation == 4
    assert parts.publication.shown is not None
    assert parts.publication.shown.document.generation == 4


async def test_the_same_delivery_again_changes_nothing(parts: Parts) -> None:
    """Alertmanager delivers at least once."""
    await parts.serve("fra1", "ams1")
    body = webhook(posted("down", "fra1", NOON))

    answers = [await post(parts, body) for _ in range(3)]

    assert {answer[1]["generation"] for answer in answers} == {4}


async def test_an_empty_delivery_is_no_mistake(parts: Parts) -> None:
    """Nothing to do, nothing wrong."""
    status, said = await post(parts, webhook())

    assert (status, said["accepted"], said["ignored"]) == (200, 0, [])


async def test_a_thousand_alerts_in_one_delivery_are_one_change(parts: Parts) -> None:
    """Ten workers, each told down a hundred times over: one document."""
    names = [f"w{number}" for number in range(10)]
    before = await parts.serve(*names)
    alerts = [posted("down", names[number % 4], NOON) for number in range(1000)]

    status, said = await post(parts, webhook(*alerts))

    assert (status, said["accepted"]) == (200, 1000)
    assert said["generation"] == before.generation + 1
    down = [name for name, state in parts.states.items() if state == "down"]
    assert down == names[:4]


async def test_what_is_not_for_us_is_ignored_and_the_rest_is_taken(
    parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    """One bad alert in a batch must not cost the good ones; the answer, the log and the count say why."""
    await parts.serve("fra1", "ams1")
    caplog.set_level(logging.INFO)
    stranger = posted("down", "nowhere", NOON)
    reason = "label worker is 'nowhere', registered are: ams1, fra1"

    answer = await post(parts, webhook(stranger, posted("down", "fra1", NOON)))

    ignored = [{"alertname": "WireGuardWorkerDown", "reason": reason}]
    assert answer == (200, {"accepted": 1, "ignored": ignored, "generation": 4})
    assert facts(caplog.records, "alert ignored") == [
        {"alertname": "WireGuardWorkerDown", "status": "firing", "reason": reason}
    ]
    assert facts(caplog.records, "alert") == [
        {"alertname": "WireGuardWorkerDown", "worker": "fra1", "status": "firing", "starts_at": NOON}
    ]
    assert counted(parts, "WireGuardWorkerDown", "firing", "taken") == 1.0
    assert counted(parts, "", "firing", "ignored") == 1.0


async def test_what_a_healthy_fleet_says_all_the_time_is_no_line_of_the_log(
    parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    """The Watchdog and every Up come twice a minute; their end, and everything else, is news."""
    await parts.serve("fra1", "ams1")
    caplog.set_level(logging.DEBUG)

    await post(parts, webhook(posted("watchdog", None, NOON), posted("up", "fra1", NOON)))
    ended = posted("up", "fra1", NOON, ended_at=NOON)
    await post(parts, webhook(ended, posted("down", "fra1", NOON), posted("blind", None, NOON)))

    levels = [record.levelname for record in caplog.records if record.getMessage() == "alert"]
    told = facts(caplog.records, "alert")
    assert [(one["alertname"], one["status"], level) for one, level in zip(told, levels, strict=True)] == [
        ("Watchdog", "firing", "DEBUG"),
        ("WireGuardWorkerUp", "firing", "DEBUG"),
        ("WireGuardWorkerUp", "resolved", "INFO"),
        ("WireGuardWorkerDown", "firing", "INFO"),
        ("WireGuardVantageBlind", "firing", "INFO"),
    ]


async def test_an_invented_name_becomes_no_series(parts: Parts) -> None:
    """Or anybody with the token could fill Prometheus."""
    alert = posted("down", "nowhere", NOON)
    alert["labels"]["alertname"] = "Invention"

    await post(parts, webhook(alert))

    assert counted(parts, "Invention", "firing", "ignored") is None


async def test_a_delivery_of_nothing_but_mistakes_is_refused(parts: Parts) -> None:
    """422: Alertmanager counts it as failed, and somebody looks; all reasons are there."""
    await parts.serve("fra1")
    before = parts.state
    dance = posted("down", "fra1", NOON)
    dance["labels"]["action"] = "dance"

    status, said = await post(parts, webhook(dance, posted("up", "nowhere", NOON)))

    first = "label action is 'dance', this receiver acts on failover, admit, spare, hold, watchdog"
    second = "label worker is 'nowhere', registered are: fra1"
    assert (status, said["error"]) == (422, first)
    assert [one["reason"] for one in said["ignored"]] == [first, second]
    assert parts.state is before


async def test_a_truncated_delivery_is_refused_loudly(parts: Parts, caplog: pytest.LogCaptureFixture) -> None:
    """What is missing may be what matters: an error in the log, and a count of all that was lost."""
    await parts.serve("fra1", "ams1")
    before = parts.state
    assert counted(parts, "", "", "truncated") == 0.0, "there before the first, or it would be no rise"

    answer = await post(parts, webhook(posted("down", "fra1", NOON), truncatedAlerts=3))

    error = "truncatedAlerts is 3: alerts are missing; set max_alerts: 0"
    assert answer == (422, {"error": error})
    assert parts.state is before
    (told,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert (told.getMessage(), facts([told], "delivery refused")) == (
        "delivery refused", [{"error": error, "alerts": 1}]
    )  # fmt: skip
    assert counted(parts, "", "", "truncated") == 4.0


async def test_a_long_delivery_is_one_line_of_the_log(parts: Parts, caplog: pytest.LogCaptureFixture) -> None:
    """Up to twenty have a line each; of more than that nobody reads each, and writing them would take its time."""
    await parts.serve("fra1", "ams1")
    caplog.set_level(logging.INFO)
    some = [posted("down", "fra1", NOON) for _ in range(19)]
    stranger = posted("down", "nowhere", NOON)

    await post(parts, webhook(*some, stranger))
    assert len(facts(caplog.records, "alert")) == 19
    assert len(facts(caplog.records, "alert ignored")) == 1
    caplog.clear()

    await post(parts, webhook(*some, stranger, stranger, posted("up", "ams1", NOON, ended_at=NOON)))

    assert facts(caplog.records, "alert") == facts(caplog.records, "alert ignored") == []
    assert facts(caplog.records, "alerts") == [
        {
            "firing": 19,
            "resolved": 1,
            "ignored": 2,
            "alertnames": "19 WireGuardWorkerDown, 1 WireGuardWorkerUp",
            "first_ignored": "label worker is 'nowhere', registered are: ams1, fra1",
        }
    ]
    assert counted(parts, "WireGuardWorkerDown", "firing", "taken") == 38.0


async def test_two_alertmanagers_that_say_the_same_make_one_document(parts: Parts) -> None:
    """A cluster delivers at least once, each of its members perhaps; also both at once."""
    before = await parts.serve("fra1", "ams1")
    body = webhook(posted("down", "fra1", NOON))

    answers = await asyncio.gather(*(post(parts, body) for _ in range(4)))
    later = await post(parts, {**body, "externalURL": "http://other.example:9093", "groupKey": "{}:{other}"})

    assert {status for status, _ in answers} == {200}
    assert later[1]["generation"] == before.generation + 1
    assert parts.state.generation == before.generation + 1


async def test_what_is_not_known_of_a_webhook_is_ignored(parts: Parts) -> None:
    """Alertmanager adds fields now and then; the rest is taken as ever."""
    await parts.serve("fra1", "ams1")
    alert = {**posted("down", "fra1", NOON), "silencedBy": None, "new": {"deep": [1]}}

    status, said = await post(parts, webhook(alert, notificationReason="first", newer=[{}]))

    assert (status, said["accepted"], parts.states["fra1"]) == (200, 1, "down")


@pytest.mark.parametrize("version", ["5", "40", 4, None, "", ["4"]])
async def test_another_version_of_the_webhook_is_refused(parts: Parts, version: Any) -> None:
    """It may mean something else by the same words; the error says which one is understood."""
    await parts.serve("fra1", "ams1")
    before = parts.state

    status, said = await post(parts, webhook(posted("down", "fra1", NOON), version=version))

    error = f"body.version: is {version!r}: only version '4' is understood here, Alertmanager's since 0.5"
    assert (status, said) == (422, {"error": error})
    assert parts.state is before


async def test_the_description_of_the_route_says_what_it_takes(parts: Parts) -> None:
    """Whole, although the framework does not read the body itself."""
    route = parts.app.openapi()["paths"]["/v1/alerts"]["post"]

    schema = route["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["version", "alerts"]
    assert schema["properties"]["version"]["const"] == "4"
    alert = schema["properties"]["alerts"]["items"]
    assert alert["required"] == ["status", "labels", "startsAt", "fingerprint"]
    assert "$ref" not in json.dumps(schema)
    assert {"200", "422", "503"} <= route["responses"].keys()


async def test_an_alert_from_the_future_is_refused(parts: Parts) -> None:
    """The clock that counts is the receiver's."""
    await parts.serve("fra1")

    status, said = await post(parts, webhook(posted("down", "fra1", NOON + 61.0)))

    error = "startsAt is 61 s in the future, at most 60 s are clocks that disagree"
    assert (status, said["error"]) == (422, error)


@pytest.mark.parametrize("where", ["alertname", "worker", "action"])
async def test_half_a_character_is_refused(parts: Parts, where: str) -> None:
    """JSON can spell it; nothing can keep, log or count it."""
    await parts.serve("fra1")
    alert = posted("down", "fra1", NOON)
    alert["labels"][where] = "\ud800"
    body = json.dumps(webhook(alert))  # In ASCII, as `\ud800`.

    async with parts.ask(Role.ALERTMANAGER) as http:
        answer = await http.post("/v1/alerts", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 422
    assert answer.json()["error"].startswith(
        "body: is not JSON: unexpected end of hex escape at line 1 column "
    )


async def test_the_duration_of_each_delivery_is_measured(parts: Parts) -> None:
    """Slow ones are how Alertmanager's queue fills."""
    await post(parts, webhook())

    name = "wgfleet_receiver_webhook_duration_seconds_count"
    assert parts.receiver.metrics.registry.get_sample_value(name) == 1.0


async def test_the_history_names_who_delivered(parts: Parts) -> None:
    """An operator who posts an alert by hand is not taken for Alertmanager."""
    await parts.serve("fra1", "ams1")

    async with parts.ask(Role.OPERATOR) as http:
        await http.post("/v1/alerts", json=webhook(posted("down", "fra1", NOON)))

    assert parts.store.events(1)[0].who == "operator"


async def test_a_sender_that_hangs_up_half_way_changes_nothing(
    parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    """What came of it is not taken for a webhook; the log says that somebody hung up."""
    await parts.serve("fra1")
    before = parts.state
    half = json.dumps(webhook(posted("down", "fra1", NOON))).encode()[:100]
    coming: list[dict[str, Any]] = [
        {"type": "http.request", "body": half, "more_body": True},
        {"type": "http.disconnect"},
    ]
    said: list[Any] = []

    async def receive() -> dict[str, Any]:
        return coming.pop(0)

    async def send(message: Any) -> None:
        said.append(message)

    token = f"Bearer {TOKENS[Role.ALERTMANAGER]}".encode()
    headers = [(b"authorization", token), (b"content-type", b"application/json"), (b"content-length", b"900")]
    scope = {"type": "http", "method": "POST", "path": "/v1/alerts", "headers": headers, "client": None,
             "scheme": "http", "query_string": b""}  # fmt: skip
    await parts.app(scope, receive, send)

    assert said == []
    assert parts.state is before
    assert "a sender hung up before all was there" in caplog.messages
