"""Tests of client_sync/holding.py: who has an interface."""

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from client_sync.config import Config, LayoutKind
from client_sync.holding import interfaces_held, interfaces_of
from tests.client_sync.own_network import in_own_network

NAME = f"held-{os.getpid()}"
HOLDER = """
import os, sys
from client_sync.holding import interfaces_held
if len(sys.argv) > 2:
    os.setuid(int(sys.argv[2]))
with interfaces_held([sys.argv[1]]):
    print("held", flush=True)
    sys.stdin.read()
"""
NOBODY = 65534


def holder(*more: str) -> subprocess.Popen[str]:
    """Another process that has the interface."""
    command = [sys.executable, "-c", HOLDER, NAME, *more]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    return other


def test_an_interface_is_one_daemons_until_that_ends_however_it_does() -> None:
    """The other is named; nothing is left behind by one that was killed."""
    with holder() as other:
        with (
            pytest.raises(ValueError, match=rf"{NAME} is held by .* process {other.pid}, "),
            interfaces_held([NAME]),
        ):
            pytest.fail("two have it")
        other.kill()
        other.wait()

    with interfaces_held([NAME]):
        pass


def test_whoever_is_refused_one_interface_keeps_none_of_the_others() -> None:
    """It may have been given a wrong name only."""
    others = f"{NAME}o"
    with (
        interfaces_held([NAME]),
        pytest.raises(ValueError, match="is held by"),
        interfaces_held([others, NAME]),
    ):
        pytest.fail("two have it")

    with interfaces_held([others]):
        pass


@pytest.mark.system
def test_the_same_name_in_another_network_is_another_interface() -> None:
    """As in a container, which may see the same files."""

    def hold() -> bool:
        with interfaces_held([NAME]):
            return True

    with interfaces_held([NAME]):
        assert in_own_network(hold)


@pytest.mark.system
def test_another_user_who_takes_the_name_keeps_no_daemon_from_its_work(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Any may: it is said whose process that is."""
    with holder(str(NOBODY)) as other, interfaces_held([NAME]):
        other.kill()

    assert [vars(record)["facts"] for record in caplog.records] == [
        {"interface": NAME, "process": other.pid, "user": NOBODY}
    ]


def test_one_who_does_not_even_listen_keeps_no_daemon_from_its_work() -> None:
    """That is no daemon."""
    with socket.socket(socket.AF_UNIX) as squatter:
        squatter.bind(f"\0wgfleet-sync/{NAME}")
        with interfaces_held([NAME]):
            pass


def test_what_a_daemon_holds_is_what_its_configuration_has_it_change() -> None:
    """A worker's second interface, too; all that are made for workers, by the beginning of their names."""
    config = Config("example", "w1", "wg0", ("key",), state_directory=Path("state"))

    assert interfaces_of(config) == ("wg0",)
    assert interfaces_of(replace(config, shared_interface="wg1")) == ("wg0", "wg1")
    assert interfaces_of(replace(config, layout=LayoutKind.PER_WORKER, interface="wg")) == ("wg-*",)
