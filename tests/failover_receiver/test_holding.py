"""Tests of failover_receiver/holding.py."""

import subprocess
import sys
from pathlib import Path

import pytest

from failover_receiver.holding import held, must_be_there

HOLDER = """
import sys
from pathlib import Path
from failover_receiver.holding import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_store_that_another_process_has_is_refused_until_it_ends(tmp_path: Path) -> None:
    """However it ends: killed, too."""
    store = tmp_path / "receiver.db"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, store], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"

        with pytest.raises(ValueError, match="is in use by a receiver that runs: stop it first"), held(store):
            pytest.fail("two have it")
        other.kill()
        other.wait()

    with held(store):
        pass


def test_a_store_that_is_gone_is_missed(tmp_path: Path) -> None:
    """With both ways out."""
    with pytest.raises(ValueError, match="is not there") as caught:
        must_be_there(tmp_path / "receiver.db")

    assert str(caught.value) == (
        f"store: {tmp_path / 'receiver.db'} is not there: restore a backup (`wgfleet-receiver restore FILE`), or begin "
        "anew with `wgfleet-receiver init --new-store`"
    )
