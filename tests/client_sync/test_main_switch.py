"""Tests of client_sync/__main__.py: the commands that open and close the kill switch."""

import os
import sys
from pathlib import Path

import pytest

from client_sync.__main__ import CLOSES_AGAIN, main
from client_sync.barring import OPEN, Barred
from client_sync.config import load
from client_sync.guard import STAYS
from client_sync.holding import held
from client_sync.layouts import guard_of
from tests.client_sync.commanding import NO_INTERFACE
from wgfleet.signing import Signer

Said = tuple[int, str, str]


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """A good configuration without a kill switch."""
    file = tmp_path / "sync.toml"
    file.write_text(
        f'fleet = "example"\nname = "laptop-1"\ninterface = "{NO_INTERFACE}"\nreceivers = ["https://a.example.com"]\n'
        f'token_file = "token"\ntrusted_keys = ["{Signer.generate().public_text}"]\nstate_directory = "state"\n'
    )
    (tmp_path / "state").mkdir()
    return file


def command(word: str, file: Path, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> Said:
    """Exit code, output, errors."""
    patch.setattr(sys, "argv", ["wgfleet-sync", word, "--config", str(file)])
    code = main()
    said = capsys.readouterr()
    return code, said.out, said.err


def test_closing_a_switch_that_is_not_wanted_is_refused(
    configured: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would never open again by itself."""
    assert command("close", configured, capsys, monkeypatch) == (
        2,
        "",
        f"wgfleet-sync: {configured}: kill_switch is false: nothing is to be closed\n",
    )


def nft_of(configured: Path, patch: pytest.MonkeyPatch) -> Path:
    """A program `nft` that keeps what it is to load in this file."""
    nft = configured.parent / "nft"
    nft.write_text(f"#!/bin/sh\ncat >> {configured.parent}/loaded\n")
    nft.chmod(0o755)
    patch.setenv("PATH", f"{configured.parent}:{os.environ['PATH']}")
    return configured.parent / "loaded"


@pytest.mark.parametrize(("switch", "says"), [("true", True), ("false", False)])
def test_a_daemon_that_cannot_use_its_interface_says_whether_the_switch_stays_closed(
    configured: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    switch: str,
    says: bool,
) -> None:
    """And what opens it: nothing else tells whoever has no network now."""
    nft_of(configured, monkeypatch)
    (configured.parent / "token").write_text("secret\n")
    configured.write_text(configured.read_text() + f"kill_switch = {switch}\n")

    code, _, said = command("run", configured, capsys, monkeypatch)

    assert code == 1
    assert NO_INTERFACE in said
    assert said.endswith(f"; {STAYS}\n") is says


def test_the_switch_opens_and_closes(
    configured: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the program `nft`; before the first peer set, too, unless the configuration says otherwise."""
    loaded = nft_of(configured, monkeypatch)
    configured.write_text(configured.read_text() + "kill_switch = true\n")
    nothing = (1, "", "nothing is barred: there was no peer set yet, and kill_switch_first is empty\n")
    said = configured.read_text()
    configured.write_text(said + "kill_switch_first = []\n")

    assert command("close", configured, capsys, monkeypatch) == nothing
    configured.write_text(said)
    assert command("close", configured, capsys, monkeypatch) == (0, "closed\n", "")
    guard_of(load(configured)).bar(Barred(("0.0.0.0/0",), 51820))
    assert command("close", configured, capsys, monkeypatch) == (0, "closed\n", "")
    code, out, _ = command("open", configured, capsys, monkeypatch)

    assert (code, out.partition(":")[0]) == (0, "open")
    assert loaded.read_text().endswith(OPEN)
    assert command("close", configured, capsys, monkeypatch) == (0, "closed\n", "")


def test_it_is_not_opened_beside_a_daemon_that_runs(
    configured: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which would close it again, sooner or later."""
    with held(configured.parent / "state"):
        code, _, said = command("open", configured, capsys, monkeypatch)

    assert (code, said) == (
        1,
        f"wgfleet-sync: {CLOSES_AGAIN}\n",
    )
