"""Tests of client_sync/__main__.py: `health`, with its exit codes, as a BGP daemon's script sees it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from wgfleet.signing import Signer

KEY = Signer.generate().public_text
CONFIGURATION = f"""\
fleet = "example"
name = "fra1"
interface = "lo"
role = "worker"
receivers = ["https://monitoring.example.com:9587"]
token_file = "token"
trusted_keys = ["{KEY}"]
state_directory = "state"
"""


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """A worker whose interface is up."""
    (tmp_path / "state").mkdir()
    file = tmp_path / "sync.toml"
    file.write_text(CONFIGURATION)
    return file


def health(file: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command."""
    command = [sys.executable, "-m", "client_sync", "health", "--config", str(file), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def say(file: Path, *, attracts: bool) -> None:
    """What the daemon wrote."""
    published = {"attracts": attracts, "reason": "serving (up)" if attracts else "draining (drained)"}
    status = file.parent / "state" / "status.json"
    status.write_text(json.dumps({"role": "worker", "generation": 3, "published": published}))


def test_a_worker_that_should_attract_ends_with_0_and_another_with_1(configured: Path) -> None:
    """The first word is the answer; programs get the same as JSON."""
    say(configured, attracts=True)
    well = health(configured)
    say(configured, attracts=False)
    drained = health(configured, "--json")

    assert (well.returncode, well.stdout) == (0, "attract serving (up)\n")
    assert drained.returncode == 1
    assert json.loads(drained.stdout) == {
        "attracts": False,
        "reason": "draining (drained)",
        "stale_seconds": None,
    }


def test_who_is_no_worker_is_told_so(configured: Path) -> None:
    """With 2, as for all that is configured wrongly."""
    configured.write_text(CONFIGURATION.replace('role = "worker"', 'role = "client"'))

    done = health(configured)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("role is client: only a worker attracts traffic\n")


def test_a_watch_says_what_is_new_at_once(configured: Path) -> None:
    """On one line, which is flushed: a script reads it."""
    say(configured, attracts=True)
    command = [sys.executable, "-m", "client_sync", "health", "--config", str(configured)]
    watching = subprocess.Popen([*command, "--watch", "--interval", "0.1"], stdout=subprocess.PIPE, text=True)
    assert watching.stdout is not None
    first = watching.stdout.readline()
    say(configured, attracts=False)
    second = watching.stdout.readline()
    watching.terminate()
    watching.communicate()

    assert (first, second) == ("attract serving (up)\n", "withdraw draining (drained)\n")
