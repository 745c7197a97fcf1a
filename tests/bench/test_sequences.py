"""Tests of the bench `sequences`: what it says of what was played, and how it ends."""

from collections import Counter

import pytest

from tests.bench import sequences
from tests.failover_receiver.faults.planted import FAULTS
from tests.failover_receiver.invariants import Invariant
from tests.failover_receiver.sequences import Played, play

SOUND = Played(seed=1, steps=30, events=80, checked=Counter({Invariant.MOVED: 5}))
BROKEN = Played(2, 12, 40, Counter({Invariant.MOVED: 3}), Invariant.MOVED, "sequence 2, step 12: it moved")


def test_the_last_line_counts_what_was_played_and_found() -> None:
    """With the keys that others read."""
    assert sequences.summary([SOUND, BROKEN], [(FAULTS[0], 3), (FAULTS[1], None)]) == {
        "sequences": 2,
        "steps": 42,
        "steps_min": 12,
        "violations": 1,
        "faults_planted": 2,
        "faults_found": 1,
    }


def test_the_table_says_for_each_invariant_how_often_it_was_looked_at() -> None:
    """And how often it did not hold."""
    lines = sequences._table([SOUND, BROKEN]).splitlines()

    assert lines[1] == "2 sequences, 42 steps, 120 events"
    assert [line.split()[-2:] for line in lines[3:]] == [["8", "1"], *[["0", "0"]] * (len(Invariant) - 1)]


def test_a_sequence_of_the_bench_can_be_played_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its number: it has the same steps, events and checks."""
    monkeypatch.setattr("sys.argv", ["sequences", "--count", "1", "--first", "7", "--steps", "31"])
    monkeypatch.setattr(sequences, "FAULTS", ())

    status = sequences.main()

    again = play(7, steps=31)
    assert (status, again.broken) == (0, None)
    assert f"1 sequences, 31 steps, {again.events} events" in capsys.readouterr().out
