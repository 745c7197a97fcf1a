"""The control plane dies, restarts, and is asked nonsense: clients go on, and nothing that was confirmed is lost."""

import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.lab.fleet import Fleet
from tests.lab.traffic import Traffic
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.system
LIMIT = 60.0


def alert(
    worker: str, name: str = "WireGuardWorkerDown", action: str = "failover", **other: Any
) -> dict[str, Any]:
    """A webhook's body as Alertmanager would send it."""
    now = datetime.now(UTC).isoformat()
    one = {
        "status": "firing",
        "labels": {"alertname": name, "action": action, "worker": worker},
        "startsAt": now,
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": f"by-hand-{worker}",
    }
    return {"version": "4", "status": "firing", "alerts": [one], **other}


def post(fleet: Fleet, body: object, *, token: str | None = None, raw: bytes | None = None) -> httpx.Response:
    """Post a webhook by hand."""
    home = fleet.network.directory / "receiver"
    secret = token if token is not None else (home / "alertmanager.token").read_text().strip()
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    url = f"{fleet.url('receiver')}/v1/alerts"
    if raw is not None:
        return httpx.post(url, content=raw, headers=headers)
    return httpx.post(url, json=body, headers=headers)


def facts(fleet: Fleet) -> tuple[Any, Any]:
    """All that a decision would change."""
    health = fleet.health()
    return health["generation"], {name: worker["state"] for name, worker in health["workers"].items()}


@pytest.mark.parametrize(
    ("posted", "status", "said"),
    [
        ({"token": "wrong", "body": alert("w1")}, 401, "this token is not known here"),
        ({"raw": b'{"version": "4", "alerts": [{'}, 422, "is not JSON"),
        ({"body": alert("nowhere")}, 422, "label worker is 'nowhere', registered are: w1, w2, w3"),
        ({"body": alert("w1", version="5")}, 422, "body.version: is '5': only version '4' is understood"),
        ({"body": alert("w1", action="dance")}, 422, "label action is 'dance', this receiver acts on"),
        ({"body": alert("w1", truncatedAlerts=3)}, 422, "truncatedAlerts is 3"),
    ],
    ids=["wrong token", "broken body", "unknown worker", "unknown version", "unknown action", "truncated"],
)
def test_nonsense_changes_nothing_and_says_why(
    fleet: Fleet, posted: dict[str, Any], status: int, said: str
) -> None:
    """What is wrong in itself is refused with its reason."""
    before = facts(fleet)

    answer = post(fleet, posted.get("body"), token=posted.get("token"), raw=posted.get("raw"))

    assert answer.status_code == status
    assert said in answer.json()["error"]
    assert facts(fleet) == before


def test_a_receiver_killed_after_its_answer_has_lost_nothing(fleet: Fleet) -> None:
    """What it answered 2xx to is there after kill -9, and its generation has not gone back."""
    worker = max(fleet.health()["workers"])
    answer = post(fleet, alert(worker))
    fleet.receiver.kill()
    assert answer.status_code == 200

    fleet.receiver.start()

    health = fleet.health()
    assert health["generation"] >= answer.json()["generation"]
    history = fleet.api.call("GET", "/v1/events", limit=1000)
    assert any(
        event["subject"] == worker
        and event["after"] == "down"
        and event["generation"] == answer.json()["generation"]
        for event in history
    )


def test_clients_go_on_when_the_whole_control_plane_is_gone(
    fleet: Fleet, traffics: dict[str, Traffic]
) -> None:
    """Receiver, Prometheus and Alertmanager die: no packet is missed for it, and a restarted client comes up alone."""
    for part in (fleet.receiver, fleet.prometheus, fleet.alertmanager):
        part.kill()
    killed = time.time()
    client, sync = fleet.network.client("c1"), fleet.sync["c1"]

    # It boots again: an interface without peers, and nobody to ask.
    sync.kill()
    client.wg0.kill()
    client.wg0.start()
    assert fleet.active("c1") is None
    sync.launch()

    fleet.journal(sync).wait_for("moved", since=killed, timeout=LIMIT)
    wait_until(lambda: fleet.active("c1") is not None, LIMIT, "the client to use a worker")
    traffics["c1"].wait_until_flowing(LIMIT)
    assert traffics["c2"].outage(killed).seconds < 1.0, "the other client has noticed nothing"

    for part in (fleet.alertmanager, fleet.receiver, fleet.prometheus):
        part.start()
    sync.wait_for_line('"event": "following"', LIMIT)
    fleet.wait_until_serving()
