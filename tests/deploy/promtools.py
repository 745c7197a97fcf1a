"""Promtool of both Prometheus generations: ranges are closed at their left end before version 3, and open since."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.programs import REPOSITORY, program

GENERATIONS = (2, 3)
THIRD = REPOSITORY / ".parts3" / "usr" / "bin"


def promtool(generation: int) -> str:
    """The program's path. Without it a laptop skips the test, and continuous integration fails."""
    if generation == 2:
        return program("promtool")
    path = THIRD / "promtool"
    if not path.exists():
        reason = "there is no promtool of Prometheus 3 here: run tools/prometheus3.sh, which installs nothing"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return str(path)


def said_by(generation: int, *arguments: str | Path) -> str:
    """What promtool prints, and the test's failure if it finds anything wrong."""
    run = subprocess.run([promtool(generation), *arguments], check=False, text=True, capture_output=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def groups_of(rules: str) -> list[dict[str, Any]]:
    """The groups of a rule file."""
    groups: list[dict[str, Any]] = yaml.safe_load(rules)["groups"]
    return groups


def verdicts_of(rules: str) -> str:
    """A rule file's part on which verdicts depend: promtool evaluates all it is given, at each moment of each story."""
    groups = [group for group in groups_of(rules) if group["name"] in {"wgfleet-probes", "wgfleet-watchdog"}]
    return yaml.safe_dump({"groups": groups}, sort_keys=False, width=1000)
