"""Tests of deploy/systemd/wgfleet-sync.service, as far as it depends on the daemon."""

import re
from pathlib import Path

from wgfleet.wg import TIMEOUT_SECONDS

UNIT = (Path(__file__).parents[2] / "deploy" / "systemd" / "wgfleet-sync.service").read_text()


def test_systemd_waits_to_be_told() -> None:
    """A unit of the default type would take it for ready before it has read its configuration."""
    assert "\nType=notify\n" in UNIT


def test_the_watchdog_bears_a_wg_that_hangs() -> None:
    """The event loop waits for it: to read, to set, to read again. Fed at half of its time, at least so long remains."""
    (seconds,) = re.findall(r"^WatchdogSec=(\d+)$", UNIT, re.MULTILINE)

    assert int(seconds) / 2 >= 3 * TIMEOUT_SECONDS
