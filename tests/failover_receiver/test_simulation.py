"""Tests of failover_receiver/simulation.py: what would be decided, from states that are values."""

from collections.abc import Mapping

import pytest

from failover_receiver.core import step
from failover_receiver.simulation import (
    LONGEST_SECONDS,
    Ordered,
    PrometheusDies,
    Simulation,
    Step,
    Verdict,
    Wait,
    Warned,
    simulate,
    verdicts,
)
from failover_receiver.state import (
    AlertsRead,
    DrainWished,
    Policy,
    RefusedError,
    State,
    WorkerAdmitted,
    WorkerRegistered,
    WorkerRemoved,
)
from tests.failover_receiver.parts import NOON, seen
from tests.failover_receiver.story import spec

POLICY = Policy()
FOUR = ("ams1", "fra1", "lon1", "par1")


def fleet(*workers: str, at: float = NOON) -> State:
    """A receiver's state with these workers up, heard at that time."""
    state = State(fleet="test")
    for number, name in enumerate(workers, start=1):
        state, _ = step(state, WorkerRegistered(name, spec(number)), now=at, policy=POLICY)
    ups = (seen("watchdog", None, at), *(seen("up", name, at) for name in workers))
    return step(state, AlertsRead(ups, at, complete=True), now=at, policy=POLICY)[0]


def play(
    state: State,
    *steps: Step,
    now: float = NOON,
    clients: Mapping[str, int] | None = None,
    assume_live: bool = False,
) -> Simulation:
    return simulate(state, steps, now=now, policy=POLICY, clients=clients, assume_live=assume_live)


def says(verdict: Verdict, *workers: str, at: float | None = None) -> Step:
    return Step(verdict.value, verdicts(verdict, workers), at)


def wait(seconds: float) -> Step:
    return Step("wait", Wait(seconds))


def states(played: Simulation) -> dict[str, str]:
    return {worker.name: worker.state.value for worker in played.state.published}


def decided(played: Simulation) -> list[tuple[int, str, str, str]]:
    """When, of whom, what and why, over all steps."""
    return [
        (round(one.at), one.worker, str(one.after), one.reason)
        for outcome in played.outcomes
        for one in outcome.decisions
    ]


def test_a_worker_that_goes_down_is_taken_out_and_its_clients_must_move() -> None:
    """Only its own."""
    played = play(fleet(*FOUR), says(Verdict.DOWN, "fra1"), clients={"fra1": 12, "ams1": 30})

    assert decided(played) == [(0, "fra1", "down", "worker_down")]
    assert (played.must_move["fra1"], sum(played.must_move.values())) == (12, 12)
    assert played.warnings == {}


def test_the_state_that_was_given_is_not_touched() -> None:
    """It is a value; what was played is another."""
    before = fleet(*FOUR)

    played = play(before, says(Verdict.DOWN, "fra1"))

    assert before == fleet(*FOUR)
    assert played.state.generation == before.generation + 1


def test_a_living_monitoring_goes_on_saying_what_it_says() -> None:
    """An hour of waiting makes nobody blind and moves nobody."""
    played = play(fleet(*FOUR), wait(LONGEST_SECONDS))

    assert decided(played) == []
    assert (played.frozen_by, set(states(played).values())) == (None, {"serving"})


def test_a_worker_comes_back_after_its_hold_down() -> None:
    """Thirty seconds after its Up, while the Ups of the others go on."""
    played = play(fleet(*FOUR), says(Verdict.DOWN, "fra1"), wait(60.0), says(Verdict.UP, "fra1"), wait(45.0))

    assert decided(played) == [
        (0, "fra1", "down", "worker_down"),
        (60, "fra1", "joining", "hold_down"),
        (90, "fra1", "serving", "up"),
    ]


def test_clients_of_a_worker_that_comes_back_must_move_all_the_same() -> None:
    """They have left it by then; so have those of one that was removed."""
    back = (says(Verdict.DOWN, "fra1"), wait(60.0), says(Verdict.UP, "fra1"), wait(60.0))
    gone = Step("remove", Ordered((WorkerRemoved("ams1"),)))

    played = play(fleet(*FOUR), *back, gone, clients=dict.fromkeys(FOUR, 3))

    assert states(played)["fra1"] == "serving"
    assert played.must_move == {"ams1": 3, "fra1": 3, "lon1": 0, "par1": 0}


def test_clients_of_a_worker_that_they_leave_already_are_not_counted_again() -> None:
    """It is drained, and then it dies."""
    state, _ = step(fleet(*FOUR), DrainWished("fra1", drain=True), now=NOON, policy=POLICY)

    played = play(state, says(Verdict.DOWN, "fra1"), clients={"fra1": 3})

    assert (states(played)["fra1"], played.must_move["fra1"]) == ("down", 0)


def test_a_worker_without_its_up_stays_out() -> None:
    """A Down that a step let fire goes on firing."""
    played = play(fleet(*FOUR), says(Verdict.DOWN, "fra1"), wait(600.0))

    assert states(played)["fra1"] == "down"


def test_degraded_replaces_down_and_says_its_own_reason() -> None:
    """The rules exclude each other."""
    played = play(fleet(*FOUR), says(Verdict.DOWN, "fra1"), says(Verdict.DEGRADED, "fra1"))

    assert decided(played)[-1] == (0, "fra1", "down", "worker_degraded")


def test_too_many_down_are_doubted_and_the_operator_is_warned() -> None:
    """Nobody must move then: clients judge by themselves."""
    played = play(fleet(*FOUR), says(Verdict.DOWN, "fra1", "ams1", "lon1"), clients={"fra1": 12})

    assert states(played) == {"ams1": "suspect", "fra1": "suspect", "lon1": "suspect", "par1": "serving"}
    assert "too many at once: ams1, fra1, lon1 would become suspect" in played.warnings[Warned.TOO_MANY_DOWN]
    assert sum(played.must_move.values()) == 0


def test_an_operator_who_would_empty_the_fleet_is_warned() -> None:
    """Only an operator can."""
    everything = Step("drain", Ordered(tuple(DrainWished(name, drain=True) for name in FOUR)))

    played = play(fleet(*FOUR), everything, clients=dict.fromkeys(FOUR, 2))

    assert played.warnings == {Warned.NONE_SERVES: "no worker would serve"}
    assert sum(played.must_move.values()) == 8


def test_a_command_that_would_be_refused_is_told_with_its_reason() -> None:
    """Those before it in the same step are carried out."""
    both = Step("admit", Ordered((DrainWished("ams1", drain=True), WorkerAdmitted("fra1"))))

    played = play(fleet(*FOUR), says(Verdict.DOWN, "fra1"), both)

    refused = played.outcomes[-1].refused
    assert refused is not None
    assert refused.startswith("WireGuardWorkerDown fires for fra1")
    assert states(played)["ams1"] == "draining"


def test_an_alert_that_fires_already_is_ended_by_its_own_fingerprint() -> None:
    """Not by another alert of the same name beside it."""
    state = fleet(*FOUR)
    heard = (seen("watchdog", None, NOON + 3), seen("down", "fra1", NOON + 3))
    state, _ = step(state, AlertsRead(heard, NOON + 3, complete=True), now=NOON + 3, policy=POLICY)

    played = play(state, says(Verdict.UP, "fra1"), wait(31.0), now=NOON + 3)

    assert decided(played) == [(0, "fra1", "joining", "hold_down"), (30, "fra1", "serving", "up")]


def test_without_prometheus_the_receiver_goes_blind_and_moves_nobody() -> None:
    """A Down that comes afterwards is heard, and not believed."""
    played = play(
        fleet(*FOUR), Step("dies", PrometheusDies()), wait(21.0), says(Verdict.DOWN, "fra1"), wait(60.0)
    )

    assert decided(played) == []
    assert played.frozen_by == "no Watchdog for 20 s"
    assert "monitoring would be blind (no Watchdog for 20 s)" in played.warnings[Warned.BLIND]


def test_a_down_that_comes_before_blindness_still_counts() -> None:
    """The Watchdog is believed for 20 s."""
    played = play(fleet(*FOUR), Step("dies", PrometheusDies()), wait(10.0), says(Verdict.DOWN, "fra1"))

    assert decided(played) == [(10, "fra1", "down", "worker_down")]


def test_a_receiver_that_is_blind_now_would_decide_nothing_and_says_so() -> None:
    """An hour after the last Watchdog."""
    played = play(fleet(*FOUR), says(Verdict.DOWN, "fra1"), wait(60.0), now=NOON + 3600)

    assert decided(played) == []
    assert "monitoring is blind now (no Watchdog for 20 s)" in played.warnings[Warned.BLIND_NOW]


def test_with_monitoring_assumed_live_it_decides_all_the_same() -> None:
    """And goes on saying that it is blind now."""
    played = play(fleet(*FOUR), says(Verdict.DOWN, "fra1"), wait(60.0), now=NOON + 3600, assume_live=True)

    assert decided(played) == [(0, "fra1", "down", "worker_down")]
    assert set(played.warnings) == {Warned.BLIND_NOW}


def test_what_was_heard_last_is_assumed_to_hold_still() -> None:
    """One that had failed stays out, the others are up."""
    state = fleet(*FOUR)
    heard = (seen("watchdog", None, NOON), seen("degraded", "fra1", NOON))
    state, _ = step(state, AlertsRead(heard, NOON, complete=True), now=NOON, policy=POLICY)

    played = play(state, wait(60.0), now=NOON + 3600, assume_live=True)

    assert states(played) == {"ams1": "serving", "fra1": "down", "lon1": "serving", "par1": "serving"}
    assert {worker.reason for worker in played.state.published} == {"up", "worker_degraded"}


def test_a_worker_that_was_never_up_is_not_assumed_to_be() -> None:
    """Nothing was heard of it last."""
    state, _ = step(fleet(*FOUR), WorkerRegistered("new1", spec(9)), now=NOON, policy=POLICY)

    played = play(state, wait(60.0), now=NOON + 3600, assume_live=True)

    assert states(played)["new1"] == "joining"


def test_an_alert_that_is_no_verdict_stands_for_none() -> None:
    """An overloaded worker is assumed to be up, too."""
    heard = (seen("watchdog", None, NOON), seen("overloaded", "fra1", NOON))
    state, _ = step(fleet(*FOUR), AlertsRead(heard, NOON, complete=True), now=NOON, policy=POLICY)

    played = play(state, wait(600.0), now=NOON + 30.0, assume_live=True)

    assert {worker.reason for worker in played.state.published} == {"overloaded", "up"}


def test_a_blind_vantage_is_assumed_to_see_again() -> None:
    """What holds everything ends with the assumption."""
    heard = (seen("watchdog", None, NOON), seen("blind", None, NOON))
    state, _ = step(fleet(*FOUR), AlertsRead(heard, NOON, complete=True), now=NOON, policy=POLICY)

    held = play(state, says(Verdict.DOWN, "fra1"), wait(60.0))
    assumed = play(state, says(Verdict.DOWN, "fra1"), wait(60.0), assume_live=True)

    assert states(held)["fra1"] == "serving"
    assert states(assumed)["fra1"] == "down"


def test_a_step_comes_at_its_own_time() -> None:
    """Time passes until then, and what was due before is told."""
    played = play(
        fleet(*FOUR),
        says(Verdict.DOWN, "fra1"),
        says(Verdict.UP, "fra1"),
        says(Verdict.DOWN, "ams1", at=100.0),
    )

    assert decided(played)[-2:] == [(30, "fra1", "serving", "up"), (100, "ams1", "down", "worker_down")]


def test_what_is_said_of_an_unknown_worker_is_refused() -> None:
    """A misspelt name would otherwise say that all is well."""
    with pytest.raises(RefusedError, match="there is no worker 'fra2'; registered: ams1, fra1, lon1, par1"):
        play(fleet(*FOUR), says(Verdict.DOWN, "fra2"))


def test_longer_than_anything_lasts_is_refused() -> None:
    """Waiting and the time of a step count together."""
    with pytest.raises(RefusedError, match="the steps take 3700 s, at most 3600 s can be played"):
        play(fleet(*FOUR), wait(1800.0), says(Verdict.DOWN, "fra1", at=1900.0))


def test_a_watchdog_that_has_just_become_too_old_is_not_revived() -> None:
    """Alerts are believed for longer than it."""
    played = play(fleet(*FOUR), says(Verdict.DOWN, "fra1"), wait(60.0), now=NOON + 30.0)

    assert decided(played) == []
    assert played.frozen_by == "no Watchdog for 20 s"


def test_an_overloaded_worker_is_still_up() -> None:
    """Or it would never be through with its hold-down."""
    played = play(
        fleet(*FOUR),
        says(Verdict.DOWN, "fra1"),
        says(Verdict.UP, "fra1"),
        says(Verdict.OVERLOADED, "fra1"),
        wait(60.0),
    )

    assert decided(played)[-1] == (30, "fra1", "serving", "overloaded")


def test_an_overloaded_worker_is_spared_and_nobody_moves() -> None:
    """Its Up goes on."""
    played = play(fleet(*FOUR), says(Verdict.OVERLOADED, "fra1"), wait(60.0), clients={"fra1": 12})

    assert decided(played) == [(0, "fra1", "serving", "overloaded")]
    assert sum(played.must_move.values()) == 0
