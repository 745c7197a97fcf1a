"""Tests of failover_receiver/acks.py: what is known of the clients, by what they say."""

import pytest

from failover_receiver.access import Holder, Role
from failover_receiver.acks import ACK_LIFETIME, Ack, Clients, propagation, summed_up
from failover_receiver.state import State, Worker
from tests.failover_receiver.parts import NOON, Parts, posted, webhook
from tests.failover_receiver.story import spec

STATE = State(
    fleet="test",
    epoch=2,
    generation=7,
    issued_at=NOON,
    workers={"fra1": Worker(spec(1)), "ams1": Worker(spec(2))},
)

LAPTOP, PHONE = (Holder(name, Role.CLIENT, name) for name in ("laptop", "phone"))


def ack(generation: int = 7, *, epoch: int = 2, active: str | None = "fra1", at: float = NOON) -> Ack:
    """A client's word."""
    return Ack(epoch, generation, active, at)


def test_clients_are_counted_on_their_workers_and_those_behind_apart() -> None:
    """A worker that nobody knows is counted nowhere; its client is."""
    acks = [ack(), ack(6), ack(active="ams1"), ack(active="gone"), ack(active=None), ack(9, epoch=1)]

    assert summed_up(acks, STATE, now=NOON) == Clients({"fra1": 3, "ams1": 1}, heard=6, behind=2)


def test_a_client_that_is_silent_is_not_counted_any_more() -> None:
    """It is off, and no operator waits for it."""
    acks = [ack(6)]

    assert summed_up(acks, STATE, now=NOON + ACK_LIFETIME).behind == 1
    assert summed_up(acks, STATE, now=NOON + ACK_LIFETIME + 1) == Clients({"fra1": 0, "ams1": 0}, 0, 0)


def test_the_first_word_of_the_newest_document_tells_how_long_it_took() -> None:
    """From its publication."""
    assert propagation(ack(6, at=NOON - 30), ack(7, at=NOON + 0.5), STATE) == 0.5


def test_a_clock_that_was_set_back_makes_no_negative_time() -> None:
    """A histogram would count backwards."""
    assert propagation(ack(6, at=NOON - 30), ack(7, at=NOON - 2), STATE) == 0.0


@pytest.mark.parametrize(
    ("before", "now"),
    [
        pytest.param(None, ack(7), id="one that was not there before"),
        pytest.param(ack(6, at=NOON - ACK_LIFETIME - 1), ack(7), id="one that comes back"),
        pytest.param(ack(7, at=NOON - 60), ack(7), id="the same again"),
        pytest.param(ack(5, at=NOON - 60), ack(6), id="one that is behind"),
        pytest.param(ack(9, epoch=1, at=NOON - 60), ack(7, epoch=1), id="another epoch's number"),
    ],
)
def test_other_words_tell_nothing_of_it(before: Ack | None, now: Ack) -> None:
    """Or the time would be that of an absence."""
    assert propagation(before, now, STATE) is None


@pytest.mark.anyio
async def test_the_page_has_what_clients_say(parts: Parts) -> None:
    """How many use each worker, how many are behind, and how long news took."""
    state = await parts.serve("fra1", "ams1")
    parts.receiver.acknowledge(LAPTOP, Ack(state.epoch, state.generation - 1, "fra1", NOON))
    parts.receiver.acknowledge(PHONE, Ack(state.epoch, state.generation - 1, "fra1", NOON))
    parts.receiver.acknowledge(LAPTOP, Ack(state.epoch, state.generation, "ams1", NOON + 0.2))

    async with parts.ask() as http:
        lines = (await http.get("/metrics")).text.splitlines()

    assert {
        "wgfleet_receiver_acks_total 3.0",
        "wgfleet_receiver_clients 2.0",
        "wgfleet_receiver_clients_behind 1.0",
        'wgfleet_receiver_worker_clients{worker="ams1"} 1.0',
        'wgfleet_receiver_worker_clients{worker="fra1"} 1.0',
        "wgfleet_receiver_propagation_seconds_count 1.0",
    } <= set(lines)


@pytest.mark.anyio
async def test_an_alerts_way_is_timed_once_and_the_watchdogs_never(parts: Parts) -> None:
    """A repetition says nothing new, and the Watchdog began when Prometheus did."""
    await parts.serve("fra1", "ams1")
    parts.clock.now = NOON + 0.3
    body = webhook(posted("down", "fra1", NOON + 0.1), posted("watchdog", None, NOON - 3600))

    async with parts.ask() as http:
        for _ in range(2):
            await http.post("/v1/alerts", json=body)
        lines = (await http.get("/metrics")).text.splitlines()

    counts = [line for line in lines if line.startswith("wgfleet_receiver_alert_delay_seconds_count")]
    timed = [line for line in counts if not line.endswith(" 0.0")]
    assert timed == ['wgfleet_receiver_alert_delay_seconds_count{alertname="WireGuardWorkerDown"} 1.0']
