"""Tests of client_sync/perworker/system.py: the commands, then the real `nft` in a network of its own."""

import json
from pathlib import Path

import pytest

from client_sync.perworker import system
from client_sync.perworker.marking import ruleset
from client_sync.perworker.system import connections, load
from client_sync.tunnels.programs import LayoutError, run
from tests.client_sync.own_network import in_own_network
from tests.client_sync.programs import Programs, called

MARK = 958600


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """In front of the real ones."""
    return Programs.before_the_real(tmp_path, monkeypatch)


def test_a_missing_program_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an error that the driver reports and tries again."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(LayoutError, match=r"`nft -f -` could not be run: .*'nft'"):
        load("")


def test_without_the_kernels_list_the_program_conntrack_is_asked(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each family; its lines are the same."""
    monkeypatch.setattr(system, "CONNTRACK", tmp_path / "nowhere")
    programs("conntrack")
    (tmp_path / "conntrack").write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\necho "$5 mark=1"\n')

    assert connections() == ["ipv4 mark=1", "ipv6 mark=1"]
    assert called(tmp_path) == ["-L -o extended -f ipv4", "-L -o extended -f ipv6"]


def test_without_either_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is not the same as nothing there."""
    monkeypatch.setattr(system, "CONNTRACK", tmp_path / "nowhere")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert connections() is None


def test_the_kernels_own_list_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line each."""
    monkeypatch.setattr(system, "CONNTRACK", tmp_path / "list")
    (tmp_path / "list").write_text("a\nb\n")

    assert connections() == ["a", "b"]


# With the real one.


@pytest.mark.system
def test_a_real_nft_takes_the_ruleset_again_and_again() -> None:
    """Also the one without workers."""

    def part() -> str:
        for devices in ({"wg-w1": MARK + 1}, {"wg-w1": MARK + 1, "wg-w2": MARK + 2}, {}):
            load(ruleset(MARK, devices, ["10.99.0.1", "fd00::1"] if devices else []))
        return run(["nft", "-j", "list", "tables"])

    listed = json.loads(in_own_network(part))["nftables"]
    assert [entry["table"]["name"] for entry in listed if "table" in entry] == ["wgfleet"]
