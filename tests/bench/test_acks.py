"""A small slice of the bench of acks: everything is real but the time and the crowd. No figure is asserted."""

import pytest
from rich.console import Console

from tests.bench.acks import measure, print_table
from tests.deploy.programs import program


@pytest.fixture
def _asker() -> None:
    """Wrk."""
    program("wrk")


@pytest.mark.usefixtures("_asker")
def test_acks_are_taken_either_way_and_everybody_counts(capsys: pytest.CaptureFixture[str]) -> None:
    """The bench itself refuses any other answer."""
    told = measure(1, 1, 30, Console(quiet=True))

    print_table(told)

    assert "by a follower" in capsys.readouterr().out
    assert told["clients_heard"] == 30
    assert min(told.values()) > 0
