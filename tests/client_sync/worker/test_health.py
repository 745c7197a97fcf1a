"""Tests of client_sync/worker/health.py: the verdict, and looking again and again."""

import json
from pathlib import Path
from typing import Any

import pytest

from client_sync.worker.health import Health, is_up, look, verdict, watch

UP = {"wg0": True, "wg1": True}
PUBLISHED = {"attracts": True, "reason": "serving (up)"}
STATUS = {"generation": 3, "published": PUBLISHED}


class EndError(Exception):
    """The test has seen enough."""


@pytest.mark.parametrize(
    ("status", "up", "age", "line"),
    [
        (STATUS, UP, 1.0, "attract serving (up)"),
        (
            STATUS,
            UP,
            181.0,
            "attract serving (up); the daemon is silent, what it said last counts",
        ),
        (STATUS, {**UP, "wg1": False}, 1.0, "withdraw interface wg1 is not up"),
        (None, UP, 0.0, "withdraw there is no status yet: has `wgfleet-sync run` been started?"),
        ({**STATUS, "generation": None}, UP, 1.0, "withdraw no client list was applied yet"),
        ({**STATUS, "published": None}, UP, 1.0, "withdraw no peer set was heard yet"),
        (
            {**STATUS, "published": {"attracts": False, "reason": "draining (drained)"}},
            UP,
            1.0,
            "withdraw draining (drained)",
        ),
    ],
)
def test_the_verdict_has_its_reason(
    status: dict[str, Any] | None, up: dict[str, bool], age: float, line: str
) -> None:
    """A daemon that is away said something last, and that counts; an interface that is down always does."""
    assert verdict(status, up, age=age).line == line


def test_the_daemons_file_and_the_interfaces_are_looked_at(tmp_path: Path) -> None:
    """By name; its age tells whether the daemon is silent."""
    file = tmp_path / "status.json"
    assert look(file, ["lo"]).reason.startswith("there is no status yet")
    file.write_text(json.dumps(STATUS))

    assert look(file, ["lo"]) == Health(True, "serving (up)")
    assert look(file, ["lo", "none0"]).reason == "interface none0 is not up"
    stale = look(file, [], now=lambda: file.stat().st_mtime + 1000.0)
    assert (stale.attracts, stale.stale_seconds) == (True, 1000.0)


def test_an_interface_is_up_or_not() -> None:
    """One that is not there is not up."""
    assert is_up("lo")
    assert not is_up("none0")


def test_a_watch_shows_what_is_another_answer_than_before() -> None:
    """Once; what cannot be read is said once, and what was shown counts on."""
    answers: list[Health | ValueError] = [
        Health(True, "serving (up)"),
        Health(True, "serving (up)", 200.0),
        ValueError("torn"),
        ValueError("torn"),
        Health(False, "draining (drained)"),
    ]
    shown: list[Health] = []
    complaints: list[str] = []

    def next_one() -> Health:
        if not answers:
            raise EndError
        answer = answers.pop(0)
        if isinstance(answer, ValueError):
            raise answer
        return answer

    with pytest.raises(EndError):
        watch(next_one, shown.append, complaints.append, interval=1.0, sleep=lambda _: None, clock=float)

    assert [one.line for one in shown] == ["attract serving (up)", "withdraw draining (drained)"]
    assert complaints == ["the status cannot be read: torn"]


def test_a_watch_says_again_what_it_said() -> None:
    """BIRD may have been configured anew, and has forgotten what it was told."""
    shown: list[Health] = []
    seconds = iter([0.0, 0.0, 9.0, 10.0, 10.0])

    def pause(_seconds: float) -> None:
        if len(shown) == 2:
            raise EndError

    with pytest.raises(EndError):
        watch(
            lambda: Health(True, "serving (up)"),
            shown.append,
            pytest.fail,
            interval=1.0,
            sleep=pause,
            clock=lambda: next(seconds),
        )

    assert next(seconds, None) is None
