"""Tests of failover_receiver/page/view.py, words.py and rendering.py: values in, values and text out."""

import html
import re
from dataclasses import replace
from typing import Any

import pytest

from failover_receiver.acks import ACK_LIFETIME, Ack
from failover_receiver.page import rendering, words
from failover_receiver.page.view import BEHIND_SHOWN, HISTORY_SHOWN, BehindRow, Known, View, view
from failover_receiver.state import Policy, Reason, State
from failover_receiver.store import HistoryEvent
from tests.failover_receiver.parts import NOON, Parts
from wgfleet.peerset import Monitoring, WorkerState

MARKUP = "<script>alert('\"&')</script>"


def known(state: State, **other: Any) -> Known:
    """What is known beside the state."""
    nothing: dict[str, Any] = {
        "policy": Policy(), "acks": {}, "worker_acks": {}, "client_list": None, "loads": {}, "history": [],
    }  # fmt: skip
    return Known(state=state, **{**nothing, **other})


def event(number: int, **said: Any) -> HistoryEvent:
    """One of the history."""
    usual: dict[str, Any] = {
        "at": NOON, "who": "alice", "what": "decided", "subject": "fra1", "before": "serving", "after": "down",
        "reason": "worker_down", "epoch": 1, "generation": number, "id": number,
    }  # fmt: skip
    return HistoryEvent(**{**usual, **said})


def text(page: str) -> str:
    """What is to be read of it."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


@pytest.fixture
async def served(parts: Parts) -> State:
    """Two workers serve."""
    return await parts.serve("ams1", "fra1")


# Words.


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_words(reason: Reason) -> None:
    """Nobody should have to look an enum up at night."""
    assert words.reason(reason) != reason.value.replace("_", " ")


def test_every_state_has_a_shape_of_its_own() -> None:
    """Who sees no colours tells them apart; a state that is not known is a question."""
    shapes = [words.shape(state) for state in WorkerState]

    assert len(set(shapes)) == len(shapes)
    assert words.shape("unheard of") == "?"
    assert words.reason("unheard_of") == "unheard of"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-1, "0 s"), (0, "0 s"), (59.4, "59 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"),
        (172799, "47 h"), (172800, "2 d"),
    ],
)  # fmt: skip
def test_an_age_is_as_rough_as_people_say_it(seconds: float, said: str) -> None:
    """And never negative, nor 60 s."""
    assert words.age(seconds) == said


# The view.


@pytest.mark.anyio
async def test_a_worker_is_told_with_all_that_is_known_of_it(served: State) -> None:
    """State, reason, since when, load and clients."""
    acks = {"laptop": Ack(1, served.generation, "fra1", NOON)}

    seen = view(known(served, acks=acks, loads={"fra1": 0.314159}), now=NOON)

    ams1, fra1 = seen.workers
    assert (ams1.load, ams1.clients) == (None, 0)
    assert (fra1.name, fra1.state, fra1.reason, fra1.since) == ("fra1", "serving", "up", NOON)
    assert (fra1.load, fra1.clients, fra1.monitored) == (0.31, 1, True)
    assert fra1.said == "fra1 is serving: heard up, and nothing speaks against it."
    assert seen.headline == "2 of 2 workers usable"


@pytest.mark.anyio
async def test_silence_about_a_worker_is_told(served: State) -> None:
    """It keeps its state, but nobody should trust it blindly."""
    seen = view(known(served), now=NOON + Policy().worker_silence + 1)

    assert [worker.monitored for worker in seen.workers] == [False, False]
    assert text(rendering.fragment(seen)).count("no alert tells of it at present") == 2


@pytest.mark.anyio
async def test_blindness_is_told_with_why_and_what_follows(served: State) -> None:
    """Live is told as well."""
    blind = view(known(replace(served, monitoring=Monitoring.BLIND)), now=NOON + 60)

    cut_off = view(known(served, doubt="PostgreSQL is away"), now=NOON)
    assert (cut_off.live, cut_off.blind_because) == (False, "PostgreSQL is away")
    assert view(known(served), now=NOON).monitoring_said == "Monitoring is live."
    assert blind.monitoring_said == (
        "Monitoring is blind: no Watchdog for 20 s. Alerts move nobody until it is back; "
        "clients still leave a dead worker by themselves."
    )


def test_an_empty_fleet_says_what_to_do() -> None:
    """Nothing is wrong yet."""
    seen = view(known(State(fleet="test")), now=NOON)

    assert seen.headline == "No worker is registered yet"
    assert "None yet: wgfleet worker add adds one." in text(rendering.fragment(seen))
    assert "Nothing has happened yet." in text(rendering.fragment(seen))


@pytest.mark.anyio
async def test_who_is_behind_is_named_with_how_far(served: State) -> None:
    """Clients on the peer set, workers on the client list, farthest first; who is current, or not heard lately, is not."""
    state = replace(served, epoch=2, generation=7)
    acks = {
        "current": Ack(2, 7, None, NOON),
        "gone": Ack(2, 1, None, NOON - ACK_LIFETIME - 1),
        "one": Ack(2, 6, None, NOON),
        "older": Ack(1, 90, None, NOON),
    }
    worker_acks = {
        "ams1": Ack(2, 7, None, NOON, client_list=(2, 3)),
        "fra1": Ack(2, 7, None, NOON, client_list=(2, 1)),
        "nyc1": Ack(2, 7, None, NOON),
    }

    seen = view(known(state, acks=acks, worker_acks=worker_acks, client_list=(2, 3)), now=NOON)

    assert seen.behind == (
        BehindRow("nyc1", "client list", "none", "has none yet", NOON),
        BehindRow("fra1", "client list", "2.1", "2 generations", NOON),
        BehindRow("older", "peer set", "1.90", "of an earlier epoch", NOON),
        BehindRow("one", "peer set", "2.6", "1 generation", NOON),
    )
    assert (seen.clients_heard, seen.behind_unnamed) == (3, 0)


@pytest.mark.anyio
async def test_a_crowd_that_is_behind_is_counted(served: State) -> None:
    """During a push it is everybody for a moment."""
    acks = {f"client-{number}": Ack(1, 0, None, NOON) for number in range(10_000)}

    seen = view(known(served, acks=acks), now=NOON)

    assert (len(seen.behind), seen.behind_unnamed) == (BEHIND_SHOWN, 10_000 - BEHIND_SHOWN)
    assert "10000 heard lately; 10000 are behind." in text(rendering.fragment(seen))


def test_the_history_begins_with_the_newest() -> None:
    """So many, and no more."""
    seen = view(known(State(fleet="test"), history=[event(number) for number in range(60)]), now=NOON)

    assert [one.id for one in seen.history] == list(range(59, 59 - HISTORY_SHOWN, -1))


def test_the_history_tells_decisions_and_all_else() -> None:
    """From what to what; and who was let in."""
    history = [
        event(1, before=None, after="joining", reason="registered"),
        event(2, before="serving", after=None, reason="removed"),
        event(3, what="token made", subject="phone", before=None, after=None, reason="client"),
    ]

    told = text(rendering.fragment(view(known(State(fleet="test"), history=history), now=NOON)))

    assert "fra1 new → to ◐ joining registered alice 1.1" in told
    assert "fra1 serving → to removed removed alice 1.2" in told
    assert "phone token made client alice 1.3" in told


def test_time_alone_is_no_change() -> None:
    """Ages are counted in the browser."""
    one, other = view(known(State(fleet="test")), now=NOON), view(known(State(fleet="test")), now=NOON + 1)

    assert one.same_as(other)
    assert not one.same_as(None)
    assert not one.same_as(view(known(State(fleet="test", generation=1)), now=NOON))


# What others say.


def hostile() -> View:
    """Whatever can come from elsewhere is markup."""
    seen = view(
        known(State(fleet="test"), history=[event(1, who=MARKUP, subject=MARKUP, reason=MARKUP)]), now=NOON
    )
    return replace(
        seen,
        live=False,
        blind_because=MARKUP,
        fleet=MARKUP,
        behind=(BehindRow(MARKUP, MARKUP, MARKUP, MARKUP, NOON),),
    )


@pytest.mark.parametrize(
    "page",
    [
        rendering.fragment(hostile()),
        rendering.page(hostile(), holder=MARKUP),
        rendering.sign_in(MARKUP, error=MARKUP),
    ],
)
def test_nothing_that_is_said_becomes_markup(page: str) -> None:
    """Not in text and not in attributes."""
    assert "alert(" in page
    assert "<script>alert" not in page
    assert "('\"" not in page


@pytest.mark.parametrize("page", [rendering.page(hostile(), holder="alice"), rendering.sign_in("test")])
def test_nothing_is_inline(page: str) -> None:
    """The policy that browsers are told would refuse it."""
    assert re.findall(r"<style|style=|\bon\w+=|javascript:|<script(?! src=)", page.replace(MARKUP, "")) == []
