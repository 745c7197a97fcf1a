"""A worker joins by its bundle: it is watched by itself, and serves only after monitoring has heard it up."""

import time

import httpx
import pytest

from tests.lab.fleet import Fleet
from tests.lab.machines import Worker
from tests.lab.waiting import wait_until
from wgfleet.bundle import Bundle

pytestmark = pytest.mark.system
LIMIT = 60.0


def enrol(fleet: Fleet, worker: Worker) -> None:
    """An operator makes out a bundle, and the machine uses it."""
    said = {
        "endpoints": [worker.endpoint],
        "tunnel_addresses": [worker.tunnel_address],
        "allowed_ips": ["0.0.0.0/0"],
    }
    body = {"name": worker.name, "role": "worker", "worker": said, "receivers": [fleet.receiver_url]}
    bundle = Bundle.from_text(fleet.api.call("POST", "/v1/enrolments", body=body)["bundle"])
    joining = {"secret": bundle.secret, "public_key": worker.public_key}
    httpx.post(f"{fleet.url('receiver')}/v1/enrol", json=joining).raise_for_status()


def watched(fleet: Fleet, worker: str) -> dict[str, float]:
    """How often each job has scraped or probed that worker within the last seconds."""
    found = fleet.query(f'count_over_time(up{{worker="{worker}"}}[3s])')
    return {sample["metric"]["job"]: float(sample["value"][1]) for sample in found}


def test_a_worker_that_enrols_is_watched_within_a_refresh_and_serves_only_after_its_up(fleet: Fleet) -> None:
    """No configuration is touched: scraped and probed in every way, `joining` until the alert Up has come."""
    worker = fleet.network.worker("w3")
    fleet.api.call("DELETE", f"/v1/workers/{worker.name}")
    wait_until(lambda: not watched(fleet, worker.name), LIMIT, "Prometheus to have forgotten it")
    joined = time.time()

    enrol(fleet, worker)

    wait_until(
        lambda: len(watched(fleet, worker.name)) == 4, LIMIT, "the exporter and three probes to be asked"
    )
    receiver = fleet.journal(fleet.receiver)
    first = receiver.wait_for("decided", since=joined, timeout=LIMIT, worker=worker.name)
    assert (first.get("before"), first["after"], first["reason"]) == (None, "joining", "registered")
    serving = receiver.wait_for(
        "decided", since=joined, timeout=LIMIT, worker=worker.name, after="serving", reason="up"
    )
    answered = (
        f'min_over_time(timestamp(probe_success{{job="wgfleet-tunnel",worker="{worker.name}"}} == 1)[20s:1s])'
    )
    assert serving["time"] > float(fleet.query(answered)[0]["value"][1])
    fleet.wait_until_serving()
    decided = receiver.lines("decided", since=joined, worker=worker.name)
    assert [line["after"] for line in decided] == ["joining", "serving"]
