"""Tests of exporter/sysfs.py, on what /sys said of a real interface."""

import shutil
from pathlib import Path

import pytest

from exporter.netdev import Netdev
from exporter.sysfs import read_netdev
from tests.exporter.pages import SCRAPES


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    """A /sys that a test may change."""
    return shutil.copytree(SCRAPES / "sys", tmp_path / "sys")


def test_a_real_interface_is_read_whole() -> None:
    """State, MTU and every counter."""
    expected = Netdev(
        up=True,
        mtu=1420,
        counters={
            "rx_bytes": 782,
            "rx_packets": 23,
            "rx_errors": 0,
            "rx_dropped": 0,
            "tx_bytes": 1032,
            "tx_packets": 18,
            "tx_errors": 0,
            "tx_dropped": 0,
        },
    )

    assert read_netdev("wg0", sysfs=SCRAPES / "sys") == expected


def test_an_interface_that_was_taken_down_is_not_up(sysfs: Path) -> None:
    """The flag is the administrator's will; WireGuard has no carrier."""
    (sysfs / "class/net/wg0/flags").write_text("0x1090\n")

    netdev = read_netdev("wg0", sysfs=sysfs)

    assert netdev is not None
    assert not netdev.up


def test_an_interface_that_is_not_there_is_none() -> None:
    """Which is an answer, not a failure."""
    assert read_netdev("wg1", sysfs=SCRAPES / "sys") is None


def test_a_sysfs_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    """It says nothing about the interface."""
    with pytest.raises(FileNotFoundError):
        read_netdev("wg0", sysfs=tmp_path)


def test_an_interface_that_goes_while_it_is_read_is_a_failure(sysfs: Path) -> None:
    """Half of it is not an answer."""
    (sysfs / "class/net/wg0/statistics/tx_dropped").unlink()

    with pytest.raises(FileNotFoundError):
        read_netdev("wg0", sysfs=sysfs)


def test_a_counter_that_is_no_number_is_a_failure(sysfs: Path) -> None:
    """And not 0."""
    (sysfs / "class/net/wg0/statistics/rx_bytes").write_text("many\n")

    with pytest.raises(ValueError, match="many"):
        read_netdev("wg0", sysfs=sysfs)
