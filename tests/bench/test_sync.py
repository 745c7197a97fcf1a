"""A small slice of the sync bench: everything is real but the number of clients. No figure is asserted."""

import pytest

from tests.bench.sync import compare, print_table, summary


@pytest.mark.system
def test_both_ways_leave_the_same_peers_and_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    """The bench itself refuses any other peers."""
    rounds = compare(1, 300)

    print_table(rounds, 300)

    assert "wg addconf" in capsys.readouterr().out
    told = summary(rounds)
    assert told.keys() == {"vs_addconf", "one_client_ms", "from_nothing_ms", "addconf_ms"}
    assert min(told.values()) > 0
