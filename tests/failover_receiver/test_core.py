"""The receiver's whole behaviour as stories. Read their diffs: each line is a decision.

After a change that was meant: `WGFLEET_REWRITE=1 pytest tests/failover_receiver/test_core.py`, then read the diff.
Only commit what you understand and want.
"""

from pathlib import Path

import pytest

from failover_receiver.core import hold_down
from failover_receiver.state import Policy, Worker
from tests.failover_receiver.story import Story, spec
from tests.timelines import must_hold, timelines


@pytest.mark.parametrize("file", timelines(Path(__file__).parent), ids=lambda file: file.stem)
def test_the_core_decides_as_the_story_says(file: Path) -> None:
    """Every command has the outcome that is written below it, and no other."""
    must_hold(file, Story())


def test_a_worker_that_flaps_all_day_is_held_down_for_the_longest_time() -> None:
    """Thousands of failures overflow no number."""
    worker = Worker(spec(1), failures=tuple(float(second) for second in range(3600)))

    assert hold_down(worker, Policy(hold_down_factor=10.0)) == 600.0
