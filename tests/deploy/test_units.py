"""Tests of what all units in deploy/systemd have in common."""

from pathlib import Path

import pytest

UNITS = sorted((Path(__file__).parents[2] / "deploy" / "systemd").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_starts_a_daemon_again_but_not_one_that_is_told_wrong(unit: Path) -> None:
    """Each ends with 2 for a wrong flag or configuration, and would else be started every second for ever."""
    lines = unit.read_text().splitlines()

    assert {"Restart=always", "StartLimitIntervalSec=0", "RestartPreventExitStatus=2"} <= set(lines)
