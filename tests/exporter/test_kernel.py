"""Tests of exporter/kernel.py and netdev.py, on this machine's own devices."""

from pathlib import Path

import pytest

from exporter import kernel
from exporter.kernel import backend_of, read_netdev
from exporter.netdev import Backend, counters_of
from tests.exporter.pages import SCRAPES

TABLE = (SCRAPES / "proc/net/dev").read_text()


def test_a_real_device_is_read() -> None:
    """The loopback is on every machine: its MTU is the same everywhere."""
    netdev = read_netdev("lo")

    assert netdev is not None
    assert netdev.mtu == 65536
    assert netdev.counters["rx_bytes"] == netdev.counters["tx_bytes"]


def test_a_device_that_is_not_there_is_none() -> None:
    """Which is an answer, not a failure."""
    assert read_netdev("wgfleet-none") is None


def test_a_device_that_went_while_it_was_read_is_none(tmp_path: Path) -> None:
    """It stood in the table a moment ago."""
    (tmp_path / "dev").write_text("wgfleet-gone: " + "0 " * 16)

    assert read_netdev("wgfleet-gone", table=tmp_path / "dev") is None


def test_a_table_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    """It says nothing about the device."""
    with pytest.raises(FileNotFoundError):
        read_netdev("lo", table=tmp_path / "dev")


def test_every_counter_has_its_column() -> None:
    """Received in the first eight, sent in the next four."""
    line = "  wg0: " + " ".join(str(number) for number in range(16))

    assert counters_of("wg0", line) == {
        "rx_bytes": 0,
        "rx_packets": 1,
        "rx_errors": 2,
        "rx_dropped": 3,
        "rx_fifo": 4,
        "rx_frame": 5,
        "rx_compressed": 6,
        "multicast": 7,
        "tx_bytes": 8,
        "tx_packets": 9,
        "tx_errors": 10,
        "tx_dropped": 11,
    }


def test_a_device_is_found_by_its_whole_name() -> None:
    """Not by the beginning or the end of another's."""
    found = counters_of("eth0", TABLE)

    assert found is not None
    assert (found["rx_bytes"], found["tx_bytes"]) == (306, 370)
    assert counters_of("eth", TABLE) is None
    assert counters_of("th0", TABLE) is None


def test_a_counter_that_is_no_number_is_a_failure() -> None:
    """And not 0."""
    with pytest.raises(ValueError, match="many"):
        counters_of("wg0", "wg0: many")


def test_a_userspace_wireguard_is_known_by_its_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `wg` knows it."""
    monkeypatch.setattr(kernel, "SOCKETS", tmp_path)
    (tmp_path / "wg0.sock").touch()

    assert (backend_of("wg0"), backend_of("wg1")) == (Backend.USERSPACE, Backend.KERNEL)
