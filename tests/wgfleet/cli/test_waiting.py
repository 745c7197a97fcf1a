"""Tests of wgfleet/cli/waiting.py: the waiting itself."""

from dataclasses import dataclass, field

import pytest

from wgfleet.cli.waiting import POLL_SECONDS, named, until_done


@dataclass
class Scene:
    """A clock that only sleeping moves, and what is seen at each look."""

    looks: list[str]
    now: float = 100.0
    said: list[str] = field(default_factory=list)

    def look(self) -> str:
        """The next; the last one stays."""
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def sleep(self, seconds: float) -> None:
        """Time passes."""
        assert seconds > 0
        self.now += seconds

    def wait(self, timeout: float) -> str:
        """What remains in the end."""
        return until_done(
            self.look, timeout=timeout, say=self.said.append, clock=lambda: self.now, sleep=self.sleep
        )


def test_it_ends_when_nothing_remains() -> None:
    """And says each change once."""
    scene = Scene(["three", "three", "one", ""])

    assert (scene.wait(60.0), scene.said, scene.now) == ("", ["three", "one"], 100.0 + 3 * POLL_SECONDS)


def test_in_vain_it_tells_what_remains() -> None:
    """After a last look at the end of the time."""
    scene = Scene(["one"])

    assert (scene.wait(1.2), scene.said, round(scene.now, 3)) == ("one", ["one"], 101.2)


@pytest.mark.parametrize(("looks", "remains"), [([""], ""), (["one"], "one")])
def test_without_time_it_looks_once(looks: list[str], remains: str) -> None:
    """So a script can ask how things are."""
    scene = Scene(looks)

    assert (scene.wait(0.0), scene.now) == (remains, 100.0)


def test_a_crowd_is_a_number() -> None:
    """A few are named."""
    assert named(["a", "b"]) == "2 (a, b)"
    assert named(list("abcdefgh")) == "8 (a, b, c, d, e and 3 more)"
