"""The state diagram in ARCHITECTURE.md is what the receiver's core does."""

import pytest

from failover_receiver.metrics import REASONS
from failover_receiver.state import Reason
from tools.diagram import BEGIN, END, FILE, changes, with_region
from wgfleet.peerset import WorkerState


def test_the_diagram_is_current() -> None:
    """`make docs` writes it anew."""
    page = FILE.read_text()

    assert page == with_region(page)


def test_every_state_and_reason_is_drawn() -> None:
    """Those that the metrics count from zero, and no others."""
    drawn = {after for _, after in changes() if after is not None}

    assert drawn == {(state, reason) for state, reasons in REASONS.items() for reason in reasons}
    assert {state for state, _ in drawn} == set(WorkerState)
    assert {reason for _, reason in drawn} == set(Reason)


def test_a_worker_can_be_removed_from_every_state() -> None:
    """So the diagram need not draw it."""
    removable = {before for (before, after), why in changes().items() if after is None and why == ["removed"]}

    assert removable == {after for _, after in changes() if after is not None}


def test_what_stands_around_the_diagram_stays() -> None:
    """Only what is between the markers is written anew."""
    page = with_region(f"before\n{BEGIN}\nold\n{END}\nafter\n")

    assert page.startswith(f"before\n{BEGIN}\n```mermaid\n")
    assert page.endswith(f"|\n{END}\nafter\n")


def test_a_page_without_the_markers_is_refused() -> None:
    """Rather than left as it is without a word."""
    with pytest.raises(ValueError, match="no region"):
        with_region("nothing")
