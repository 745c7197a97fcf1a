"""The receiver's whole behaviour as stories. Read their diffs: each line is a decision.

After a change that was meant: `WGFLEET_REWRITE=1 pytest tests/failover_receiver/test_core.py`, then read the diff.
Only commit what you understand and want.
"""

import os
from pathlib import Path

import pytest

from tests.failover_receiver.story import told

TIMELINES = sorted((Path(__file__).parent / "timelines").glob("*.txt"))


@pytest.mark.parametrize("file", TIMELINES, ids=lambda file: file.stem)
def test_the_core_decides_as_the_story_says(file: Path) -> None:
    """Every command has the outcome that is written below it, and no other."""
    text = file.read_text()
    now = told(text)
    if os.environ.get("WGFLEET_REWRITE"):
        file.write_text(now)

    assert text == now
