"""A small slice of the poll bench: everything is real but the time. No figure is asserted."""

import pytest
from rich.console import Console

from tests.bench.poll import compare, print_table, summary
from tests.deploy.programs import program


@pytest.fixture
def _beside() -> None:
    """nginx, and wrk which asks."""
    program("nginx")
    program("wrk")


@pytest.mark.usefixtures("_beside")
def test_both_servers_answer_304_and_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    """The bench itself refuses any other answer."""
    turns = compare(1, 1, 20, Console(quiet=True))

    print_table(turns)

    assert "nginx" in capsys.readouterr().out
    told = summary(turns)
    assert told.keys() == {"vs_nginx", "us_per_304", "nginx_us_per_304", "per_cpu_second"}
    assert min(told.values()) > 0
