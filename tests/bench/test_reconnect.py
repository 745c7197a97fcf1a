"""A small slice of the bench: everything is real but the size of the crowd. No figure is asserted."""

import pytest
from rich.console import Console

from tests.bench.reconnect import cut_off, print_table, summary


def test_all_who_are_cut_off_come_back(capsys: pytest.CaptureFixture[str]) -> None:
    """Both ways; each tells what it promises to tell."""
    measured = cut_off(30, 1, Console(quiet=True))

    print_table(measured)

    assert "killed" in capsys.readouterr().out
    told = summary(30, measured)
    assert told["errors"] == 0
    assert told.keys() >= {"seconds", "watchers", "seconds_by_way"}
    assert all(one.back.tries >= 30 for one in measured)
