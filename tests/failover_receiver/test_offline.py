"""Tests of failover_receiver/offline.py: the real commands, beside a real receiver."""

import subprocess
import sys
from pathlib import Path

import pytest

from failover_receiver.access import Role
from tests.failover_receiver.parts import BODY, LIMIT, bearer
from tests.failover_receiver.running import Running

pytestmark = pytest.mark.anyio


def command(directory: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """`wgfleet-receiver WORDS`."""
    program = [
        sys.executable,
        "-m",
        "failover_receiver",
        *words,
        "--config",
        str(directory / "receiver.toml"),
    ]
    return subprocess.run(program, check=False, capture_output=True, text=True, timeout=LIMIT)


async def test_a_night_with_a_lost_disk_ends_well(tmp_path: Path) -> None:
    """Backed up while it ran; the store is gone; restored, it serves again, under a number that clients take."""
    directory, file = tmp_path / "receiver", tmp_path / "backup.db"
    with Running(directory) as running:
        async with running.ask() as http:
            assert (await http.put("/v1/workers/fra1", json=BODY)).status_code == 200
            before = (await http.get("/health")).json()

        made = command(directory, "backup", str(file))
        assert (made.returncode, made.stderr) == (0, "")
        assert made.stdout.startswith(f"{file}: fleet test, peer set 1.{before['generation']}, ")
        refused = command(directory, "restore", str(file))
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "is in use by a receiver that runs: stop it first" in refused.stderr

        running.stop()
        (directory / "receiver.db").unlink()
        missing = command(directory, "run")
        assert missing.returncode == 1
        assert "restore a backup (`wgfleet-receiver restore FILE`)" in missing.stderr

        restored = command(directory, "restore", str(file))
        assert (restored.returncode, restored.stderr) == (0, "")
        assert "Next: systemctl start wgfleet-receiver" in restored.stdout
        running.start()
        async with running.ask() as http:
            after = (await http.get("/health")).json()

    assert list(after["workers"]) == ["fra1"]
    assert (after["epoch"], after["generation"]) > (before["epoch"], before["generation"])
    assert after["epoch"] > 10**9


async def test_an_operator_without_any_token_gets_in(tmp_path: Path) -> None:
    """The secret alone is on standard output; it opens at the next start."""
    with Running(tmp_path / "receiver") as running:
        running.stop()

        made = command(running.directory, "token", "alice", "--role", "operator")

        secret = made.stdout.strip()
        assert (made.returncode, len(secret)) == (0, 43)
        assert secret not in made.stderr
        running.start()
        async with running.ask() as http:
            answer = await http.get("/v1/tokens", headers=bearer(secret))
    assert "alice" in {token["name"] for token in answer.json()}


def test_what_cannot_be_done_is_said_in_one_line(tmp_path: Path) -> None:
    """No traceback, status 1."""
    Running(tmp_path)

    for words in (("restore", "nowhere.db"), ("backup", str(tmp_path / "operator.token")),
                  ("token", "operator", "--role", Role.CLIENT)):  # fmt: skip
        said = command(tmp_path, *words)
        assert (said.returncode, said.stdout) == (1, "")
        assert said.stderr.startswith("wgfleet-receiver: ")
        assert said.stderr.count("\n") == 1
