"""Tests of client_sync/__main__.py: exit codes, and what is said on which of the two outputs."""

import os
from pathlib import Path

import pytest

from client_sync.holding import held, interfaces_held
from tests.client_sync.commanding import KEY, NO_INTERFACE, Command, Done


@pytest.mark.parametrize("what", ["run", "status", "render"])
def test_a_missing_configuration_is_said(command: Command, tmp_path: Path, what: str) -> None:
    """On standard error, with where to read what it should say; 2, after which systemd starts nothing again."""
    file = tmp_path / "sync.toml"

    assert command(what, "--config", file) == Done(
        2, "", f"wgfleet-sync: {file} is not there: see `wgfleet-sync run --help` for what it says\n"
    )


@pytest.mark.parametrize("what", ["run", "status", "render"])
def test_a_faulty_configuration_is_said_with_all_its_faults(
    command: Command, configured: Path, what: str
) -> None:
    """One line each."""
    configured.write_text(configured.read_text().replace('"laptop-1"', '"Laptop"') + "colour = 1\n")

    done = command(what, "--config", configured)

    assert (done.code, done.out) == (2, "")
    assert [line.split(":")[0].strip() for line in done.err.splitlines()] == [
        "wgfleet-sync",
        "name",
        "colour",
    ]


def test_a_missing_token_is_said_at_once(command: Command, configured: Path) -> None:
    """And not with every connection."""
    token = configured.parent / "token"
    token.unlink()

    assert command("run", "--config", configured) == Done(
        1, "", f"wgfleet-sync: {token} is not there: it should hold the token\n"
    )


def test_an_interface_that_is_not_there_is_said_at_once(command: Command, configured: Path) -> None:
    """With what `wg` said and what to do; the folder for its state is made, and nobody else's business."""
    wg = configured.parent / "wg"
    wg.write_text("#!/bin/sh\necho 'Unable to access interface: No such device' >&2\nexit 1\n")
    wg.chmod(0o755)

    assert command("run", "--config", configured, path=configured.parent) == Done(
        1,
        "",
        f"wgfleet-sync: `wg show {NO_INTERFACE}` failed: Unable to access interface: No such device; "
        f"is the interface up? `ip link show {NO_INTERFACE}`\n",
    )
    assert (configured.parent / "state").stat().st_mode & 0o777 == 0o700


@pytest.mark.system
def test_an_interface_that_is_not_there_is_said_by_the_real_wg_too(
    command: Command, configured: Path
) -> None:
    """Kernel and userspace WireGuard say it in different words; ours are the same."""
    done = command("run", "--config", configured)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"wgfleet-sync: `wg show {NO_INTERFACE}` failed: ")
    assert f"is the interface up? `ip link show {NO_INTERFACE}`" in done.err


def test_a_dump_that_cannot_be_read_is_said(command: Command, configured: Path) -> None:
    """Without what it says: it holds keys."""
    wg = configured.parent / "wg"
    wg.write_text(f"#!/bin/sh\necho '{KEY}'\n")
    wg.chmod(0o755)

    assert command("run", "--config", configured, path=configured.parent) == Done(
        1, "", f"wgfleet-sync: dump of {NO_INTERFACE}, line 1: 1 fields, expected 4\n"
    )


def test_a_second_daemon_with_the_same_configuration_is_refused(command: Command, configured: Path) -> None:
    """They would fight over the interface."""
    with held(configured.parent / "state"):
        done = command("run", "--config", configured)

    assert done == Done(
        1,
        "",
        "wgfleet-sync: `wgfleet-sync run` runs with this configuration already: stop it first (`systemctl stop "
        "wgfleet-sync`)\n",
    )


def test_a_second_daemon_on_the_interface_is_refused_with_its_own_configuration_too(
    command: Command, configured: Path
) -> None:
    """Whose process it is, is said; and nothing was changed."""
    with interfaces_held([NO_INTERFACE]):
        done = command("run", "--config", configured)

    assert done == Done(
        1,
        "",
        f"wgfleet-sync: interface: {NO_INTERFACE} is held by another `wgfleet-sync run`, process {os.getpid()}, with "
        "another configuration: both would change its peers. Stop that one first, or name another interface\n",
    )


def test_who_is_not_root_is_told_to_be(
    command: Command, configured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system said no, and the error does not say it already."""

    def denied(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", denied)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    as_user = command("status", "--config", configured).err
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    assert as_user == (
        f"wgfleet-sync: {configured} cannot be read: [Errno 13] Permission denied: '{configured}'; run it as root\n"
    )
    assert "run it as root" not in command("status", "--config", configured).err


def test_nothing_is_rendered_before_a_document_was_heard(command: Command, configured: Path) -> None:
    """Half a file on standard output would be taken for one."""
    state = configured.parent / "state"

    assert command("render", "--config", configured) == Done(
        1,
        "",
        f"wgfleet-sync: no peer set that can be trusted is kept in {state}: has `wgfleet-sync run` heard the receiver "
        "yet?\n",
    )


def test_a_newcomer_is_told_with_which_command_to_begin(command: Command) -> None:
    """In the help, and before there is any configuration."""
    assert "First time: an operator makes a bundle" in command("--help").out


@pytest.mark.parametrize("arguments", [[], ["walk"], ["run", "--fast"], ["run", "--log-format", "xml"]])
def test_a_wrong_command_is_asked_back(command: Command, arguments: list[str]) -> None:
    """With the usage, and an exit code of its own."""
    done = command(*arguments)

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("usage: wgfleet-sync")


def test_the_version_is_said(command: Command) -> None:
    """With the name of the program, as its package has it."""
    done = command("--version")

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("wgfleet-sync ")
