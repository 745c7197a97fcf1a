"""Tests of client_sync/adopting/makers.py, with programs in the place of the real ones."""

from pathlib import Path

import pytest

from client_sync.adopting import makers as module
from client_sync.adopting.found import Maker
from client_sync.adopting.makers import makers


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine where nothing manages networks."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(module, "WG_QUICK", tmp_path)
    return tmp_path


def program(directory: Path, name: str, script: str) -> None:
    """A program that does this."""
    (directory / name).write_text(f"#!/bin/sh\n{script}\n")
    (directory / name).chmod(0o755)


def test_where_nobody_can_be_asked_it_is_not_known(here: Path) -> None:
    """It is no error: somebody made it by hand."""
    assert list(here.iterdir()) == []
    assert makers("wg0") == ()


@pytest.mark.parametrize(
    ("line", "saves"), [("SaveConfig = true", True), ("SaveConfig=false", False), ("", False)]
)
def test_wg_quick_is_known_by_its_file(here: Path, line: str, *, saves: bool) -> None:
    """And whether it saves what it finds."""
    (here / "wg0.conf").write_text(f"[Interface]\n{line}\nPrivateKey = secret\n")

    assert makers("wg0") == (Maker("wg-quick", str(here / "wg0.conf"), saves=saves),)


@pytest.mark.parametrize(("file", "is_its"), [("/etc/systemd/network/50-wg0.network", True), ("n/a", False)])
def test_networkd_says_the_file_that_it_makes_it_from(here: Path, file: str, *, is_its: bool) -> None:
    """It knows all interfaces, and has none for those of others."""
    program(here, "networkctl", f"echo '● 4: wg0'; echo '     Link File: n/a'; echo '  Network File: {file}'")

    assert makers("wg0") == ((Maker("systemd-networkd", file),) if is_its else ())


@pytest.mark.parametrize(
    ("state", "routes", "expected"),
    [
        ("100 (connected)", "yes", (Maker("NetworkManager", "home", peer_routes=True),)),
        ("100 (connected)", "no", (Maker("NetworkManager", "home"),)),
        ("100 (connected (externally))", "yes", ()),
    ],
)
def test_network_manager_says_whether_it_is_its_own(
    here: Path, state: str, routes: str, expected: tuple[Maker, ...]
) -> None:
    """One that others made is connected "externally"."""
    program(here, "nmcli", f'case "$*" in *device*) echo "{state}"; echo home;; *) echo {routes};; esac')

    assert makers("wg0") == expected


def test_one_that_fails_says_nothing(here: Path) -> None:
    """As networkctl does where networkd does not run."""
    program(here, "networkctl", "echo '  Network File: /x.network'; exit 1")

    assert makers("wg0") == ()
