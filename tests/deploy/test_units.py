"""Tests of what the daemons' units in deploy/systemd have in common."""

from pathlib import Path

import pytest

FILES = sorted((Path(__file__).parents[2] / "deploy" / "systemd").glob("*.service"))
UNITS = [file for file in FILES if "Type=oneshot" not in file.read_text().splitlines()]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_starts_a_daemon_again_but_not_one_that_is_told_wrong(unit: Path) -> None:
    """Each ends with 2 for a wrong flag or configuration, and would else be started every second for ever."""
    lines = unit.read_text().splitlines()

    assert {"Restart=always", "StartLimitIntervalSec=0", "RestartPreventExitStatus=2"} <= set(lines)


def test_all_but_the_kill_switch_at_the_machines_start_are_daemons() -> None:
    """That one is done when it ends."""
    assert {file.stem for file in FILES} - {file.stem for file in UNITS} == {"wgfleet-guard"}
