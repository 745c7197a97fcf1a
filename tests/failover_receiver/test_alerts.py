"""Tests of failover_receiver/alerts.py: what Alertmanager really sends, to what the core understands."""

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from failover_receiver.alerts import ACTIVE_ALERTS, Ignored, Understood, Webhook, from_active, from_webhook
from failover_receiver.state import Action, AlertSeen
from tests.failover_receiver.parts import posted, rfc3339, webhook

RECORDED = Path(__file__).parent / "recorded"
"""What Alertmanager 0.25 posted and listed."""
WORKERS = ("fra1", "ams1")


def unix(text: str) -> float:
    """The UNIX time of a time as Alertmanager writes it."""
    return datetime.fromisoformat(text).timestamp()


STARTED = unix("2026-11-22T16:15:32.220911+00:00")
NOW = STARTED + 5.0
FIRING = AlertSeen(
    fingerprint="d3d21e26b628bf38",
    name="WireGuardWorkerDown",
    action=Action.FAILOVER,
    worker="fra1",
    firing=True,
    starts_at=STARTED,
    ends_at=NOW,
    seen_at=NOW,
)


def understood(body: object, *, now: float = NOW, workers: tuple[str, ...] = WORKERS) -> Understood:
    """What is made of a webhook's body."""
    return from_webhook(Webhook.model_validate(body), workers, now=now, future_limit=60.0)


def one(**changed: Any) -> Any:
    """The only alert of a webhook with some fields or labels changed."""
    alert = posted("down", "fra1", STARTED)
    labels = {**alert["labels"], **changed.pop("labels", {})}
    alert |= {**changed, "labels": {key: value for key, value in labels.items() if value is not None}}
    result = understood(webhook(alert))
    (only,) = result.seen + result.ignored
    return only


def recorded_webhook() -> dict[str, Any]:
    """A delivery of Alertmanager 0.25: fra1 is down, ams1 no longer."""
    return dict(json.loads((RECORDED / "webhook.json").read_text()))


# Webhooks.


def test_a_real_delivery_is_understood() -> None:
    """Firing and resolved in one batch, in its order, with nothing left out."""
    resolved = replace(
        FIRING, fingerprint="d3ca1e26b6222f97", worker="ams1", firing=False, ends_at=STARTED + 2.0
    )

    assert understood(recorded_webhook()) == Understood((FIRING, resolved), ())


def test_what_later_alertmanagers_add_is_ignored() -> None:
    """Unknown fields anywhere change nothing."""
    body = recorded_webhook()
    before = understood(body)
    body |= {"notification_reason": "firing", "payload": {"deep": [1, None]}}
    for alert in body["alerts"]:
        alert |= {"notification_reason": "repeat", "relativeTo": None}

    assert understood(body) == before


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-22T18:15:32.220911+02:00",
        "2026-11-22T08:45:32.220911-07:30",
        "2026-11-22T16:15:32.220911999Z",  # Go writes nanoseconds.
    ],
)
def test_a_time_means_the_same_in_any_offset(written: str) -> None:
    """Times are UNIX seconds inside, to the microsecond."""
    assert one(startsAt=written).starts_at == STARTED


def test_a_time_without_offset_is_refused() -> None:
    """It would mean another moment on every machine."""
    with pytest.raises(ValidationError, match="timezone"):
        one(startsAt="2026-11-22T16:15:32")


@pytest.mark.parametrize(
    ("ends_at", "taken"),
    [(rfc3339(NOW - 1.0), NOW - 1.0), (rfc3339(NOW + 30.0), NOW), (None, NOW)],
    ids=["past", "future", "absent"],
)
def test_an_end_is_never_in_the_future(ends_at: str | None, taken: float) -> None:
    """Clocks disagree; what has ended has ended by now."""
    assert one(status="resolved", endsAt=ends_at).ends_at == taken


def test_a_thousand_alerts_are_understood_at_once() -> None:
    """A whole fleet's alerts in one batch, in its order."""
    names = tuple(f"w{number}" for number in range(1000))
    body = webhook(*(posted("down", name, STARTED) for name in names))

    result = understood(body, workers=names)

    assert tuple(alert.worker for alert in result.seen) == names
    assert result.ignored == ()


@pytest.mark.parametrize("kind", ["blind", "watchdog"])
def test_an_alert_of_the_vantage_is_no_workers(kind: str) -> None:
    """A `worker` label on it means nothing."""
    alert = posted(kind, "nowhere", STARTED)

    (only,) = understood(webhook(alert)).seen

    assert only.worker is None


# What is refused, and in which words.

ACTIONS = "this receiver acts on failover, admit, spare, hold, watchdog"


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ({"action": "dance"}, f"label action is 'dance', {ACTIONS}"),
        ({"action": None}, f"label action is '', {ACTIONS}"),
        ({"worker": "nowhere"}, "label worker is 'nowhere', registered are: ams1, fra1"),
        ({"worker": None}, "label worker is None, registered are: ams1, fra1"),
        ({"worker": "FRA1"}, "label worker is 'FRA1', registered are: ams1, fra1"),
    ],
)
def test_an_alert_with_wrong_labels_is_ignored_with_the_reason(labels: dict[str, Any], reason: str) -> None:
    """The text names the label, its value and what would be right."""
    assert one(labels=labels) == Ignored("WireGuardWorkerDown", "firing", reason)


def test_without_any_worker_the_reason_says_so() -> None:
    """Somebody has forgotten to add them."""
    (only,) = understood(webhook(posted("up", "fra1", STARTED)), workers=()).ignored

    assert only.reason == "label worker is 'fra1', registered are: none"


def test_an_alert_without_a_name_is_no_error() -> None:
    """Its action says all that matters."""
    assert one(labels={"alertname": None}).name == ""


def test_an_alert_that_starts_in_the_year_2999_is_ignored_with_the_reason() -> None:
    """It would outrank everything for a thousand years."""
    only = one(startsAt="2999-01-01T00:00:00Z")

    ahead = unix("2999-01-01T00:00:00+00:00") - NOW
    assert only == Ignored(
        "WireGuardWorkerDown",
        "firing",
        f"startsAt is {ahead:.0f} s in the future, at most 60 s are clocks that disagree",
    )


@pytest.mark.parametrize(("ahead", "counts"), [(60.0, True), (60.001, False)])
def test_a_minute_ahead_is_a_clock_that_disagrees(ahead: float, *, counts: bool) -> None:
    """To the millisecond."""
    assert isinstance(one(startsAt=rfc3339(NOW + ahead)), AlertSeen) == counts


VERSION = "only version '4' is understood here, Alertmanager's since 0.5"


@pytest.mark.parametrize(
    ("broken", "where", "said"),
    [
        ({"version": "5"}, ("version",), VERSION),
        ({"version": 4}, ("version",), VERSION),
        ({"alerts": None}, ("alerts",), "Input should be a valid list"),
        ({"alerts": [{}]}, ("alerts", 0, "status"), "Field required"),
    ],
)
def test_another_payload_is_refused_where_it_differs(
    broken: dict[str, Any], where: tuple[str | int, ...], said: str
) -> None:
    """The first fault has its place and what would be right."""
    with pytest.raises(ValidationError) as caught:
        Webhook.model_validate(webhook(**broken))

    first = caught.value.errors()[0]
    assert (first["loc"], first["msg"]) == (where, said)


# Readings.


def active(**changed: Any) -> list[dict[str, Any]]:
    """What Alertmanager 0.25 listed, with some fields of the first alert changed."""
    listed: list[dict[str, Any]] = json.loads((RECORDED / "active-alerts.json").read_text())
    listed[0] |= changed
    return listed


LISTED_AT = unix("2026-11-22T16:15:07.533+00:00")
UPDATED_AT = unix("2026-11-22T16:15:07.616+00:00")


def read(listed: object, *, now: float = UPDATED_AT + 2.0) -> Understood:
    """What is made of an answer of Alertmanager's API."""
    alerts = ACTIVE_ALERTS.validate_json(json.dumps(listed))
    return from_active(alerts, ("a", "b", "c"), now=now, future_limit=60.0)


def test_a_real_answer_is_understood_silenced_and_inhibited_ones_too() -> None:
    """Each as fresh as Alertmanager says; what carries no action is for people and is not even mentioned."""
    result = read(active())

    said = [(one.name, one.action, one.worker, one.fingerprint) for one in result.seen]
    assert said == [
        ("WireGuardWorkerDown", Action.FAILOVER, "a", "16759bd40d9f1b6d"),
        ("WireGuardWorkerDown", Action.FAILOVER, "b", "167f9bd40da76ff2"),
        ("WireGuardWorkerUp", Action.ADMIT, "c", "590b844cc597a20d"),
        ("Watchdog", Action.WATCHDOG, None, "7b79b3de6c1514c8"),
    ]
    assert {(one.firing, one.starts_at, one.seen_at) for one in result.seen} == {
        (True, LISTED_AT, UPDATED_AT)
    }
    assert result.ignored == ()


def test_nothing_was_updated_in_the_future() -> None:
    """Alertmanager's clock may run ahead: then the alert was seen now."""
    result = read(active(updatedAt="2026-11-22T16:20:00.000Z"), now=UPDATED_AT)

    assert result.seen[0].seen_at == UPDATED_AT


def test_a_stale_alert_stays_as_old_as_it_is() -> None:
    """However often it is read: its age is what shows that Prometheus is dead."""
    assert {one.seen_at for one in read(active(), now=UPDATED_AT + 60.0).seen} == {UPDATED_AT}


def test_a_listed_alert_of_the_far_future_is_ignored() -> None:
    """The rule of webhooks holds for readings."""
    result = read(active(startsAt="2999-01-01T00:00:00Z"))

    assert len(result.seen) == 3
    assert [one.name for one in result.ignored] == ["WireGuardWorkerDown"]


def test_an_answer_that_is_not_alertmanagers_is_refused() -> None:
    """Another service on that port is not taken for an empty list."""
    with pytest.raises(ValidationError):
        ACTIVE_ALERTS.validate_json('{"status": "success", "data": []}')
