"""`wgfleet-sync` as a test runs it: what it came to, and on which of the two outputs it said what."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from client_sync.__main__ import main
from wgfleet.signing import Signer

NO_INTERFACE = f"none-{os.getpid()}"
"""A name that nobody else's daemon on this machine has."""
KEY = Signer.generate().public_text


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    code: int
    out: str
    err: str


class Command(Protocol):
    """Runs `wgfleet-sync`; programs in the folder `path` are found before the real ones."""

    def __call__(self, *arguments: str | Path, path: Path | None = None) -> Done: ...


def command_of(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`run` takes over the log and the signals, and so has a process of its own; the others are fast here."""

    def here(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["wgfleet-sync", *map(str, arguments)])
        try:
            code = main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    def apart(*arguments: str | Path, path: Path | None = None) -> Done:
        first = [] if path is None else [str(path)]
        environment = {**os.environ, "PATH": ":".join([*first, os.environ["PATH"]])}
        done = subprocess.run(
            [sys.executable, "-m", "client_sync", *map(str, arguments)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def either(*arguments: str | Path, path: Path | None = None) -> Done:
        if arguments[:2] == ("run", "--config"):
            return apart(*arguments, path=path)
        return here(*arguments)

    return either


def configured_in(directory: Path) -> Path:
    """A good configuration for an interface that is not there."""
    file = directory / "sync.toml"
    file.write_text(
        f'fleet = "example"\nname = "laptop-1"\ninterface = "{NO_INTERFACE}"\nreceivers = ["https://a.example.com"]\n'
        f'token_file = "token"\ntrusted_keys = ["{KEY}"]\nstate_directory = "state"\n'
    )
    (directory / "token").write_text("secret\n")
    (directory / "token").chmod(0o600)
    return file
