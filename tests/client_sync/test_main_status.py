"""Tests of client_sync/__main__.py: `wgfleet-sync status`, for people and for programs, once and again and again."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from client_sync.feed import Way
from client_sync.holding import held
from client_sync.liveness import Liveness
from client_sync.report import describe
from client_sync.state import Reason, State
from client_sync.watching import STARTING
from tests.client_sync.commanding import Command, Done
from tests.client_sync.samples import peer_set, worker
from wgfleet.peerset import WorkerState

SHOWN = State(
    peer_set(
        worker(1),
        worker(2, WorkerState.DOWN, reason="worker_down"),
        worker(3, WorkerState.BANNED, reason="banned"),
        generation=7,
    ),
    active="w1",
    reason=Reason.SILENT,
    liveness={
        "w1": Liveness(answered_at=5.0, round_trip=0.01234, history=(False, True, True)),
        "w2": Liveness(misses=4, history=(False,) * 4),
    },
)


def show(configured: Path, state: State, receiver: str | None, way: Way | None = None) -> None:
    """As the daemon writes it."""
    (configured.parent / "state").mkdir()
    (configured.parent / "state" / "status.json").write_text(
        json.dumps(describe(state, receiver, way, now=6.0))
    )


def test_the_status_without_a_daemon_is_an_error(command: Command, configured: Path) -> None:
    """With what to do first."""
    status = configured.parent / "state" / "status.json"

    assert command("status", "--config", configured) == Done(
        1, "", f"wgfleet-sync: {status} is not there: has `wgfleet-sync run` been started?\n"
    )


def test_a_daemon_that_is_starting_is_said_to_be(command: Command, configured: Path) -> None:
    """It has said nothing yet, or what stands there is an earlier run's."""
    state = configured.parent / "state"
    with held(state):
        first = command("status", "--config", configured)
        (state / "status.json").write_text(json.dumps(describe(SHOWN, None, now=6.0)))
        before = time.time() - 5
        os.utime(state / "status.json", (before, before))
        second = command("status", "--config", configured)

    assert first == Done(1, "", f"wgfleet-sync: {STARTING}\n")
    assert (second.code, second.err) == (
        0,
        f"wgfleet-sync: {STARTING}: this is what an earlier run wrote last\n",
    )


def test_a_status_that_is_broken_is_an_error(command: Command, configured: Path) -> None:
    """Not a traceback."""
    (configured.parent / "state").mkdir()
    (configured.parent / "state" / "status.json").write_text("{")

    done = command("status", "--config", configured)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("wgfleet-sync: ")
    assert "Traceback" not in done.err


def test_the_status_is_shown_for_people(command: Command, configured: Path) -> None:
    """Who carries the traffic first, then what it was decided from."""
    show(configured, SHOWN, "https://a.example.com")

    assert command("status", "--config", configured) == Done(
        0,
        """\
active     w1 (silent)
receiver   https://a.example.com
peer set   1.7, monitoring live
  w1                   serving    up               answers in 12.3 ms     x..
  w2                   down       worker_down      silent, 4 missed       xxxx
  w3                   banned     banned           not probed
""",
        "",
    )


def test_a_status_that_nobody_writes_any_more_is_shown_with_that_said(
    command: Command, configured: Path
) -> None:
    """The daemon is dead: what stands there looks well, and was."""
    show(configured, SHOWN, "https://a.example.com")
    fresh = command("status", "--config", configured)
    long_ago = time.time() - 60
    os.utime(configured.parent / "state" / "status.json", (long_ago, long_ago))

    assert command("status", "--config", configured) == Done(
        0,
        fresh.out,
        "wgfleet-sync: nothing was written for more than 30 s: does the daemon run? `systemctl status wgfleet-sync`\n",
    )


def test_what_is_left_on_a_worker_that_is_being_left_is_shown(command: Command, configured: Path) -> None:
    """Whoever waits for the end of a drain sees whom it waits for."""
    left = {"w2": 3, "w3": None}
    status = describe(SHOWN, "https://a.example.com", draining=left, now=6.0)
    (configured.parent / "state").mkdir()
    (configured.parent / "state" / "status.json").write_text(json.dumps(status))

    lines = command("status", "--config", configured).out.splitlines()

    assert lines[3:5] == [
        "leaving    w2, connections left: 3",
        "leaving    w3, connections left: not counted",
    ]


def test_that_the_stream_does_not_come_through_is_shown(command: Command, configured: Path) -> None:
    """It explains why a wish is heard some seconds late."""
    show(configured, SHOWN, "https://a.example.com", Way.POLL)

    assert command("status", "--config", configured).out.splitlines()[1] == (
        "receiver   https://a.example.com, asked again and again: its event stream does not come through"
    )


def test_a_receiver_that_refuses_and_what_people_should_know_are_shown(
    command: Command, configured: Path
) -> None:
    """A token that was revoked; a file that lies open."""
    (configured.parent / "state").mkdir()
    trouble = {"https://a.example.com": "it answered 401: no such token"}
    status = describe(SHOWN, None, trouble=trouble, remarks=["a file lies open"], now=6.0)
    (configured.parent / "state" / "status.json").write_text(json.dumps(status))

    lines = command("status", "--config", configured).out.splitlines()

    assert lines[1] == "receiver   (not connected)"
    assert lines[2].startswith("           https://a.example.com: it answered 401: no such token; ")
    assert lines[-1] == "remark     a file lies open"


def test_the_status_before_the_first_document_is_shown_for_people(command: Command, configured: Path) -> None:
    """What is not there yet is said in words."""
    show(configured, State(), None)

    assert command("status", "--config", configured) == Done(
        0, "active     (none)\nreceiver   (connecting)\npeer set   (none yet)\n", ""
    )


def test_the_status_is_shown_for_programs(command: Command, configured: Path) -> None:
    """As JSON, all of it, on one line."""
    show(configured, SHOWN, None)

    done = command("status", "--json", "--config", configured)

    assert (done.code, done.err, done.out.count("\n")) == (0, "", 1)
    assert json.loads(done.out) == describe(SHOWN, None, now=6.0)


def hears_ctrl_c() -> None:
    """As at a terminal: what a shell has started in the background ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_watch_shows_the_status_and_ends_by_ctrl_c(configured: Path) -> None:
    """One document a line for programs, no traceback."""
    show(configured, SHOWN, None)
    words = [sys.executable, "-m", "client_sync", "status", "--watch", "--json", "--config", str(configured)]
    with subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hears_ctrl_c,  # noqa: PLW1509 - it has one thread.
    ) as watching:
        assert watching.stdout is not None
        first = json.loads(watching.stdout.readline())
        new = configured.parent / "new.json"
        new.write_text(json.dumps(describe(replace(SHOWN, active="w2"), None, now=6.0)))
        new.replace(configured.parent / "state" / "status.json")
        second = json.loads(watching.stdout.readline())
        watching.send_signal(signal.SIGINT)
        out, err = watching.communicate(timeout=30)

    assert (first["active"], second["active"]) == ("w1", "w2")
    assert (watching.returncode, out, err) == (130, "", "")


@pytest.mark.parametrize("seconds", ["0", "-1", "often", "nan"])
def test_a_watch_at_no_possible_interval_is_refused(command: Command, seconds: str) -> None:
    """With what would be right."""
    done = command("status", "--watch", "--interval", seconds)

    assert (done.code, done.out) == (2, "")
    assert f"'{seconds}': seconds were expected, from 0.1 to 3600" in done.err


@pytest.mark.parametrize("what", ["status", "health"])
def test_an_interval_without_a_watch_is_refused(command: Command, what: str) -> None:
    """It would mean nothing."""
    done = command(what, "--interval", "5")

    assert (done.code, "--interval belongs to --watch" in done.err) == (2, True)


def test_the_status_of_a_vantage_is_shown_for_people(command: Command, configured: Path) -> None:
    """No worker is its active one; what counts is how many answer. A banned one is none of them."""
    (configured.parent / "state").mkdir()
    status = {"role": "vantage", **describe(replace(SHOWN, active=None, reason=None), None, now=6.0)}
    (configured.parent / "state" / "status.json").write_text(json.dumps(status))

    said = command("status", "--config", configured).out.splitlines()

    assert said[0] == "vantage    1 of 2 workers answer"
    assert said[-1] == "  w3                   banned     banned           not probed"


def test_the_status_of_a_worker_is_shown_for_people(command: Command, configured: Path) -> None:
    """It has a list and peers, where a client has workers."""
    (configured.parent / "state").mkdir()
    status: dict[str, object] = {
        "role": "worker",
        "receiver": None,
        "interface": "wg0",
        "epoch": 1,
        "generation": 7,
        "clients": 3,
        "peers": {"ours": 3, "others": 1},
        "withheld": [],
        "cut_off": [],
        "refused": None,
        "error": None,
    }
    (configured.parent / "state" / "status.json").write_text(json.dumps(status))

    assert command("status", "--config", configured) == Done(
        0,
        "client list  1.7, 3 clients\nreceiver     (not connected)\npeers        3 ours, 1 of others, on wg0\n",
        "",
    )
