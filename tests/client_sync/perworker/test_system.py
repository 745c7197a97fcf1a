"""Tests of client_sync/perworker/system.py: how connections are counted."""

from pathlib import Path

import pytest

from client_sync.perworker import system
from client_sync.perworker.system import connections
from tests.client_sync.programs import Programs, called


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """In front of the real ones."""
    return Programs.before_the_real(tmp_path, monkeypatch)


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
