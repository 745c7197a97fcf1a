"""Tests of deploy/systemd/wgfleet-sync.service and what goes beside it, as far as they depend on the daemon."""

import re
from pathlib import Path

from client_sync.config import DRAIN_SECONDS
from client_sync.guard import KEPT
from client_sync.tunnels import making
from client_sync.worker.daemon import STOP_SECONDS
from wgfleet.wg import TIMEOUT_SECONDS

SYSTEMD = Path(__file__).parents[2] / "deploy" / "systemd"
UNIT = (SYSTEMD / "wgfleet-sync.service").read_text()
PER_WORKER = (SYSTEMD / "wgfleet-sync.service.d" / "per-worker.conf").read_text().splitlines()


def test_stopping_the_daemon_does_not_end_the_tunnels_that_it_made() -> None:
    """A userspace WireGuard is in the service's control group, and its socket in a folder of the service's."""
    assert "KillMode=process" in PER_WORKER
    assert "RuntimeDirectory=wireguard" in PER_WORKER
    assert "RuntimeDirectoryPreserve=yes" in PER_WORKER


def test_the_kernels_settings_that_the_layout_writes_are_open_to_it_and_to_no_other() -> None:
    """The unit by itself protects them: one interface needs none."""
    assert str(making.SETTINGS).startswith("/proc/sys/")
    assert "ProtectKernelTunables=no" in PER_WORKER
    assert "ProtectKernelTunables=yes" in UNIT.splitlines()


def test_systemd_waits_to_be_told() -> None:
    """A unit of the default type would take it for ready before it has read its configuration."""
    assert "\nType=notify\n" in UNIT


def test_the_watchdog_bears_a_wg_that_hangs() -> None:
    """The event loop waits for it: to read, to set, to read again. Fed at half of its time, at least so long remains."""
    (seconds,) = re.findall(r"^WatchdogSec=(\d+)$", UNIT, re.MULTILINE)

    assert int(seconds) / 2 >= 3 * TIMEOUT_SECONDS


def test_a_worker_has_time_to_be_left_before_systemd_kills_it() -> None:
    """As long as it takes by default, and longer; where sync.toml says more, the daemon asks systemd for it."""
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)

    assert int(seconds) >= DRAIN_SECONDS + STOP_SECONDS


def test_the_kill_switch_is_closed_before_there_is_a_network_once_something_is_kept() -> None:
    """From the file that the daemon keeps where it keeps everything by default."""
    guard = (SYSTEMD / "wgfleet-guard.service").read_text().splitlines()

    assert f"ConditionPathExists=/var/lib/wgfleet/sync/{KEPT}" in guard
    assert "StateDirectory=wgfleet/sync" in UNIT.splitlines()
    assert any(line.startswith("Before=network-pre.target") for line in guard)
