"""Tests of client_sync/watching.py."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from client_sync.watching import GONE, STARTING, not_there, stale, watch

NOW = 1000.0


class Story:
    """What happens between looks, one step after the other; Ctrl-C is the last."""

    def __init__(self, file: Path, *steps: Callable[[], object]) -> None:
        self.file = file
        self.said: list[object] = []
        self._steps = list(steps)

    def sleep(self, seconds: float) -> None:
        """The next step."""
        assert seconds == 2.0
        if not self._steps:
            raise KeyboardInterrupt
        self._steps.pop(0)()

    def play(self) -> list[object]:
        """Watch, and return what was shown and complained of."""
        with pytest.raises(KeyboardInterrupt):
            watch(
                self.file,
                self.said.append,
                self.said.append,
                interval=2.0,
                now=lambda: NOW,
                sleep=self.sleep,
            )
        return self.said


def writes(file: Path, status: dict[str, Any], at: float = NOW) -> Callable[[], None]:
    """As the daemon does: a new file in the old one's place."""

    def write() -> None:
        new = file.with_suffix(".new")
        new.write_text(json.dumps(status))
        os.utime(new, (at, at))
        new.replace(file)

    return write


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the status is."""
    return tmp_path / "status.json"


def test_a_status_is_shown_now_and_at_each_change(file: Path) -> None:
    """And not again for having been looked at."""
    first, second = {"active": "w1"}, {"active": "w2"}
    writes(file, first)()

    assert Story(file, lambda: None, writes(file, second), lambda: None).play() == [first, second]


def test_a_status_that_is_away_is_said_once_and_the_next_one_shown(file: Path) -> None:
    """The daemon is not started yet, or its folder was cleared."""
    status = {"active": "w1"}
    missing = f"{file} is not there: has `wgfleet-sync run` been started?"

    story = Story(file, lambda: None, writes(file, status), file.unlink, lambda: None, writes(file, status))

    assert story.play() == [missing, status, missing, status]


@pytest.mark.parametrize(
    ("status", "fresh", "stale"), [({"active": "w1"}, 30.0, 31.0), ({"role": "worker"}, 180.0, 181.0)]
)
def test_a_daemon_that_writes_no_more_is_said_once(
    file: Path, status: dict[str, Any], fresh: float, stale: float
) -> None:
    """What stands there is no longer the truth; when it writes again, that is shown."""
    writes(file, status, at=NOW - fresh)()
    again = writes(file, status)

    said = Story(file, writes(file, status, at=NOW - stale), lambda: None, again).play()

    assert [one for one in said if one == status] == [status] * 3
    (complaint,) = (one for one in said if one != status)
    assert complaint == (
        f"nothing was written for more than {fresh:.0f} s: does the daemon run? `systemctl status wgfleet-sync`"
    )


def test_what_an_earlier_run_left_is_not_taken_for_the_one_that_has_just_started(file: Path) -> None:
    """Until that has said something itself."""
    old, new = {"active": "w1"}, {"active": "w2"}
    assert not_there(file, NOW) == STARTING
    writes(file, old, at=NOW - 2)()

    assert stale(old, NOW - 2, NOW - 1, now=NOW) == f"{STARTING}: this is what an earlier run wrote last"
    assert stale(new, NOW - 1, NOW - 1, now=NOW) is None


def test_a_broken_status_is_said_and_the_watch_goes_on(file: Path) -> None:
    """A disk that was full, say."""
    file.write_text("{")
    status = {"active": "w1"}

    said = Story(file, lambda: None, writes(file, status)).play()

    assert len(said) == 2
    assert str(said[0]).startswith(f"{file} cannot be read: ")
    assert said[1] == status


def test_what_a_daemon_that_is_no_more_has_left_is_said_to_be_that() -> None:
    """However fresh it is: a kill switch may have been opened since."""
    assert stale({"role": "client"}, NOW, None, gone=True, now=NOW) == GONE
    assert stale({"role": "client"}, NOW, None, now=NOW) is None
