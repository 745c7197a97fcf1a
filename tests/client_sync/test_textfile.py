"""Tests of client_sync/textfile.py: the whole page."""

from prometheus_client.parser import text_string_to_metric_families

from client_sync.feed import Way
from client_sync.liveness import Liveness
from client_sync.report import describe
from client_sync.state import State
from client_sync.textfile import ALL, page
from tests.client_sync.samples import peer_set, worker
from wgfleet.peerset import WorkerState

STATE = State(
    peer_set(worker(1), worker(2, WorkerState.DOWN, reason="worker_down"), worker(3), generation=7),
    active="w1",
    liveness={
        "w1": Liveness(answered_at=5.0, history=(True,)),
        "w2": Liveness(misses=4, history=(False,) * 4),
    },
)


def test_the_page_says_what_the_status_says() -> None:
    """What is not probed has no misses."""
    assert (
        page(describe(STATE, "https://monitoring.example.com", Way.POLL, now=6.0))
        == """\
# HELP wgfleet_client_receiver_connected 1 if a receiver is followed, 0 if none is reached.
# TYPE wgfleet_client_receiver_connected gauge
wgfleet_client_receiver_connected 1
# HELP wgfleet_client_stream_held 1 if the receiver's event stream comes through, 0 if documents are asked for, or none is reached.
# TYPE wgfleet_client_stream_held gauge
wgfleet_client_stream_held 0
# HELP wgfleet_client_peer_set_epoch Epoch of the peer set that is applied.
# TYPE wgfleet_client_peer_set_epoch gauge
wgfleet_client_peer_set_epoch 1
# HELP wgfleet_client_peer_set_generation Number, within its epoch, of the peer set that is applied.
# TYPE wgfleet_client_peer_set_generation gauge
wgfleet_client_peer_set_generation 7
# HELP wgfleet_client_peer_set_fresh_until_timestamp_seconds UNIX time until which the applied peer set counts as fresh.
# TYPE wgfleet_client_peer_set_fresh_until_timestamp_seconds gauge
wgfleet_client_peer_set_fresh_until_timestamp_seconds 4600.0
# HELP wgfleet_client_monitoring_live 1 if the applied peer set says that monitoring is live, 0 if it is blind.
# TYPE wgfleet_client_monitoring_live gauge
wgfleet_client_monitoring_live 1
# HELP wgfleet_client_worker_active 1 for the worker that carries the traffic, 0 for others.
# TYPE wgfleet_client_worker_active gauge
wgfleet_client_worker_active{worker="w1"} 1
wgfleet_client_worker_active{worker="w2"} 0
wgfleet_client_worker_active{worker="w3"} 0
# HELP wgfleet_client_worker_state_info Always 1; the worker's published state.
# TYPE wgfleet_client_worker_state_info gauge
wgfleet_client_worker_state_info{worker="w1",state="serving"} 1
wgfleet_client_worker_state_info{worker="w2",state="down"} 1
wgfleet_client_worker_state_info{worker="w3",state="serving"} 1
# HELP wgfleet_client_worker_missed_probes Own probes of the worker in a row that were not answered; absent while it is not probed.
# TYPE wgfleet_client_worker_missed_probes gauge
wgfleet_client_worker_missed_probes{worker="w1"} 0
wgfleet_client_worker_missed_probes{worker="w2"} 4
"""
    )


def test_before_the_first_document_what_is_not_known_has_no_sample() -> None:
    """Zero would be a number of a document."""
    lines = page(describe(State(), None, now=6.0)).splitlines()

    assert [line for line in lines if not line.startswith("#")] == [
        "wgfleet_client_receiver_connected 0",
        "wgfleet_client_stream_held 0",
    ]


def test_every_family_is_a_gauge_to_prometheus() -> None:
    """Its own parser reads the page, and no family is missing."""
    families = list(text_string_to_metric_families(page(describe(STATE, None, now=6.0))))

    assert [(family.name, family.type) for family in families] == [(one.name, "gauge") for one in ALL]
