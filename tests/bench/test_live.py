"""What the bench of failovers on others' interfaces says last."""

from tests.bench.live import LIVE, RESTART, SWITCHED, summary


def test_the_last_line_has_the_median_and_the_worst_silence_of_each_way() -> None:
    """In seconds, to the hundredth."""
    assert summary({RESTART: [1.0, 3.0, 2.006], SWITCHED: [2.0, 2.0, 4.0]}) == {
        "runs": 3,
        "restart_p50": 2.01,
        "restart_max": 3.0,
        "restart_with_kill_switch_p50": 2.0,
        "restart_with_kill_switch_max": 4.0,
    }


def test_live_ones_have_a_name_of_their_own() -> None:
    """So that figures of both runs can be put side by side."""
    assert summary({LIVE: [0.5]}) == {"runs": 1, "live_p50": 0.5, "live_max": 0.5}
