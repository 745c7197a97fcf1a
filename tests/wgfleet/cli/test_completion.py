"""Tests of wgfleet/cli/completion.py: what a real shell completes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from failover_receiver.access import Role
from tests.chain import wgfleet
from tests.failover_receiver.parts import bearer
from tests.failover_receiver.running import Running
from tests.failover_receiver.story import spec

BASH = """
source <(wgfleet completion bash)
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMP_LINE="$*"
COMP_POINT=${#COMP_LINE}
read -ra how <<< "$(complete -p wgfleet)"
"${how[-2]}" wgfleet "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
"""What bash does when somebody presses the key after these words."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the command in it as it is installed."""
    folder = tmp_path_factory.mktemp("bin")
    command = folder / "wgfleet"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m wgfleet.cli "$@"\n')
    command.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One with two workers."""
    with Running(tmp_path_factory.mktemp("completion") / "receiver") as running:
        for number, name in enumerate(("ams1", "fra1"), start=1):
            known = spec(number)
            said = {
                "public_key": known.public_key,
                "endpoints": known.endpoints,
                "tunnel_addresses": known.tunnel_addresses,
                "allowed_ips": known.allowed_ips,
            }
            headers = bearer(running.secret(Role.OPERATOR))
            url = f"{running.url}/v1/workers/{name}"
            httpx.put(url, json=said, headers=headers, trust_env=False).raise_for_status()
        yield running


def bash(
    home: Path, *words: str, receiver: str = "http://127.0.0.1:1", token: Path | None = None
) -> list[str]:
    """What bash offers for the last of these words."""
    environment = {
        **os.environ,
        "PATH": f"{home}:{os.environ['PATH']}",
        "WGFLEET_RECEIVER": receiver,
        "WGFLEET_TOKEN_FILE": str(token or "/nonexistent"),
    }
    command = ["bash", "--norc", "-c", BASH, "bash", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("wgfleet", "worker", "dr"), ["drain"]),
        (("wgfleet", "sim"), ["simulate"]),
        (("wgfleet", "doctor", "--prom"), ["--prometheus"]),
        (("wgfleet", "completion", "f"), ["fish"]),
        (("wgfleet", "token", "create", "x", "--role", "op"), ["operator"]),
        (("wgfleet", "__"), []),
    ],
)
def test_bash_completes_commands_options_and_choices(
    home: Path, words: tuple[str, ...], offered: list[str]
) -> None:
    """And no hidden command."""
    assert bash(home, *words) == offered


def test_bash_completes_the_names_of_workers(home: Path, receiver: Running) -> None:
    """Those that the receiver knows, where one of them is meant."""
    token = receiver.directory / "operator.token"

    assert bash(home, "wgfleet", "worker", "drain", "", receiver=receiver.url, token=token) == [
        "ams1",
        "fra1",
    ]
    assert bash(home, "wgfleet", "worker", "drain", "f", receiver=receiver.url, token=token) == ["fra1"]
    assert bash(home, "wgfleet", "worker", "add", "", receiver=receiver.url, token=token) == []


@pytest.mark.parametrize("words", [("simulate", "--down"), ("client", "add", "phone1", "--worker")])
def test_bash_completes_the_names_of_workers_that_an_option_takes(
    home: Path, receiver: Running, words: tuple[str, ...]
) -> None:
    """As where the command itself is about one."""
    token = receiver.directory / "operator.token"

    assert bash(home, "wgfleet", *words, "", receiver=receiver.url, token=token) == ["ams1", "fra1"]


def test_bash_completes_files_where_a_file_is_meant(home: Path, tmp_path: Path) -> None:
    """As for any command."""
    (tmp_path / "operator.token").touch()

    assert bash(home, "wgfleet", "status", "--token-file", f"{tmp_path}/op") == [f"{tmp_path}/operator.token"]


def test_names_that_cannot_be_asked_are_none_and_no_complaint() -> None:
    """The line that somebody is typing stays as it is."""
    for environment in (
        {"WGFLEET_TOKEN_FILE": "/nonexistent"},
        {"WGFLEET_TOKEN_FILE": __file__, "WGFLEET_RECEIVER": "http://127.0.0.1:1"},
    ):
        done = wgfleet("__complete", "workers", environment=environment)

        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_another_shell_takes_its_script(shell: str, home: Path, tmp_path: Path) -> None:
    """Without a complaint; fish says what it would offer."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed here")
    script = tmp_path / "script"
    script.write_text(wgfleet("completion", shell).stdout)
    environment = {**os.environ, "PATH": f"{home}:{os.environ['PATH']}", "HOME": str(tmp_path)}

    read = subprocess.run([shell, "-n", script], env=environment, capture_output=True, text=True, check=False)

    assert (read.returncode, read.stderr) == (0, "")
    if shell == "fish":
        asked = ["fish", "-c", f"source {script}; complete -C 'wgfleet worker dr'"]
        said = subprocess.run(asked, env=environment, capture_output=True, text=True, check=True).stdout
        assert said.split("\t")[0] == "drain"


def test_a_mistyped_command_is_not_offered_the_hidden_one() -> None:
    """It is the shell's alone."""
    done = wgfleet("statsu")

    assert done.returncode == 2
    assert "'status'" in done.stderr
    assert "__complete" not in done.stderr


def test_a_shell_that_is_not_known_is_refused() -> None:
    """With those that are."""
    done = wgfleet("completion", "cmd")

    assert done.returncode == 2
    assert "invalid choice: 'cmd' (choose from 'bash', 'zsh', 'fish')" in done.stderr
