"""Tests of failover_receiver/__main__.py: the command's words and exit codes. That it serves is in test_serve.py."""

import logging
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from failover_receiver import setup
from failover_receiver.__main__ import main
from failover_receiver.access import Role
from failover_receiver.settings import Settings
from wgfleet import __version__
from wgfleet.files import read_secret

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Runs `wgfleet-receiver` with these words: exit code, output, errors."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def run(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["wgfleet-receiver", *map(str, words)])
        try:
            code = main()
        except SystemExit as end:  # argparse's way.
            code = int(end.code or 0)
        told = capsys.readouterr()
        return code, told.out, told.err

    yield run
    root.handlers[:] = handlers
    root.setLevel(level)


def configuration(directory: Path, port: int) -> Path:
    """A new receiver's configuration for that port."""
    setup.make(directory, "test")
    file = directory / "receiver.toml"
    file.write_text(file.read_text().replace("9587", str(port)))
    return file


def test_init_says_what_it_made_and_what_comes_next(tmp_path: Path, command: Command) -> None:
    """Each file, and the command to go on with; no secret."""
    directory = tmp_path / "receiver"

    code, out, err = command("init", "--fleet", "test", "--directory", directory)

    files = ["signing.key", "operator.token", "alertmanager.token", "prometheus.token"]
    made = "".join(f"  {directory / name}\n" for name in [*files, "receiver.db", "receiver.toml"])
    after = f"\nNext: wgfleet-receiver run --config {directory / 'receiver.toml'}\n"
    assert (code, out, err) == (0, f"Made:\n{made}{after}", "")
    assert [name for name in files if read_secret(directory / name) in out] == []


def test_a_second_init_is_refused(tmp_path: Path, command: Command) -> None:
    """One line that says why and what to do, exit code 1."""
    command("init", "--fleet", "test", "--directory", tmp_path)

    assert command("init", "--fleet", "test", "--directory", tmp_path) == (
        1,
        "",
        (
            f"wgfleet-receiver: {tmp_path / 'receiver.toml'} is already there: "
            "its keys are what clients trust; choose another folder\n"
        ),
    )


def test_a_fleet_that_cannot_be_called_so_is_refused(tmp_path: Path, command: Command) -> None:
    """Before anything is made."""
    directory = tmp_path / "receiver"

    code, _, err = command("init", "--fleet", "My Fleet", "--directory", directory)

    assert code == 2
    assert err.endswith(
        "argument --fleet: 'My Fleet' is not a name: lower-case letters, digits and inner hyphens, 1 to 63 of them\n"
    )
    assert not directory.exists()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, command: Command) -> None:
    """In one line: /var/lib is not everybody's."""
    (tmp_path / "file").touch()
    directory = tmp_path / "file" / "receiver"

    assert command("init", "--fleet", "test", "--directory", directory) == (
        1,
        "",
        (
            f"wgfleet-receiver: --directory {directory} cannot be made: Not a directory; "
            "name a folder that this user may make\n"
        ),
    )


def test_a_folder_that_is_a_file_is_said(tmp_path: Path, command: Command) -> None:
    """In words, not as Python's number."""
    (tmp_path / "file").touch()

    code, _, err = command("init", "--fleet", "test", "--directory", tmp_path / "file")

    assert code == 1
    assert "--directory" in err
    assert "there is a file of that name" in err


def test_whatever_the_system_refuses_is_said_without_its_number(tmp_path: Path, command: Command) -> None:
    """A store whose folder is gone."""
    file = configuration(tmp_path, 0)
    file.write_text(file.read_text().replace('"receiver.db"', '"gone/receiver.db"'))

    code, _, err = command("restore", tmp_path / "backup.db", "--config", file)

    assert (code, err) == (
        1,
        f"wgfleet-receiver: {tmp_path / 'gone' / 'receiver.db.lock'}: No such file or directory\n",
    )


def test_a_missing_configuration_says_how_to_make_one(tmp_path: Path, command: Command) -> None:
    """Exit code 2, after which systemd does not start it again."""
    file = tmp_path / "receiver.toml"

    assert command("run", "--config", file) == (
        2,
        "",
        f"wgfleet-receiver: {file} is not there: `wgfleet-receiver init` makes one\n",
    )


def test_a_wrong_configuration_is_no_failure_that_time_mends(tmp_path: Path, command: Command) -> None:
    """A misspelt key: the same exit code as of a wrong flag."""
    file = configuration(tmp_path, 0)
    file.write_text(file.read_text() + "hold_donw = 30\n")

    code, out, err = command("run", "--config", file)

    assert (code, out) == (2, "")
    assert "hold_donw: there is no such key" in err


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_port_that_is_taken_is_said_before_anything_is_opened(
    tmp_path: Path, command: Command, family: socket.AddressFamily, address: str
) -> None:
    """With what to do about it, in IPv4 and IPv6."""
    with socket.socket(family) as taken:
        try:
            taken.bind((address, 0))
        except OSError:
            pytest.skip(f"this machine has no {address}")
        taken.listen()
        port = taken.getsockname()[1]
        file = configuration(tmp_path, port)
        file.write_text(file.read_text().replace("127.0.0.1", address, 1))

        code, out, err = command("run", "--config", file)

    assert (code, out) == (1, "")
    assert err == (
        f"wgfleet-receiver: cannot listen on {address}:{port}: Address already in use; "
        "stop what is there, or set listen_address and listen_port\n"
    )


def test_a_missing_signing_key_is_said(tmp_path: Path, command: Command) -> None:
    """Without it nothing can be published, so it does not start."""
    file = configuration(tmp_path, 0)
    (tmp_path / "signing.key").unlink()

    code, _, err = command("run", "--config", file)

    assert code == 1
    assert err.startswith(f"wgfleet-receiver: {tmp_path / 'signing.key'} is not there")


def test_a_missing_certificate_is_said(tmp_path: Path, command: Command) -> None:
    """By its name and its key in the configuration, and no traceback."""
    file = configuration(tmp_path, 0)
    file.write_text(file.read_text() + 'tls_certificate_file = "tls.pem"\n')

    code, _, err = command("run", "--config", file)

    assert (code, err) == (
        2,
        (
            f"wgfleet-receiver: tls_certificate_file: {tmp_path / 'tls.pem'} cannot be read: "
            "No such file or directory; is it there, and this user's to read?\n"
        ),
    )


def test_a_signing_key_that_is_none_is_said_and_not_shown(tmp_path: Path, command: Command) -> None:
    """It may be half of one."""
    file = configuration(tmp_path, 0)
    (tmp_path / "signing.key").write_text("half-of-a-key")

    assert command("run", "--config", file) == (
        1,
        "",
        (
            f"wgfleet-receiver: signing_key_file: {tmp_path / 'signing.key'}: "
            "not a signing key: 32 bytes in base64 were expected\n"
        ),
    )


def test_a_store_of_a_newer_program_is_said(tmp_path: Path, command: Command) -> None:
    """And left alone."""
    file = configuration(tmp_path, 0)
    with sqlite3.connect(tmp_path / "receiver.db") as store:
        store.execute("PRAGMA user_version = 99")
    store.close()

    code, _, err = command("run", "--config", file)

    assert code == 1
    assert re.fullmatch(
        r"wgfleet-receiver: the store has schema 99, this program knows up to \d+: use the newer program\n",
        err,
    )


def test_wrong_words_are_told_the_right_ones(command: Command) -> None:
    """Exit code 2, as every command's."""
    code, _, err = command("rum")

    assert code == 2
    assert "invalid choice: 'rum' (choose from 'init', 'run'" in err


def test_the_help_names_every_key_of_the_configuration(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that init makes points here."""
    monkeypatch.setenv("COLUMNS", "1000")

    code, out, _ = command("run", "--help")

    assert code == 0
    assert [key for key in Settings.model_fields if key not in out] == []


def test_the_version_is_told(command: Command) -> None:
    """For a report of a fault."""
    assert command("--version") == (0, f"wgfleet-receiver {__version__}\n", "")


def test_the_module_is_the_command(tmp_path: Path) -> None:
    """`python -m failover_receiver` does the same, with the same exit code."""
    words = [
        sys.executable,
        "-m",
        "failover_receiver",
        "init",
        "--fleet",
        "test",
        "--directory",
        str(tmp_path),
    ]

    done = [subprocess.run(words, check=False, capture_output=True).returncode for _ in range(2)]

    assert done == [0, 1]
    assert (tmp_path / f"{Role.OPERATOR}.token").exists()
