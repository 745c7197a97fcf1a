"""Tests of exporter/watched.py."""

import logging
from pathlib import Path

import pytest

from exporter.watched import Read, Watched


def number(read: Read, path: Path) -> int:
    """The number in a file, or in the file that it names by `see NAME`."""
    said = read(path).decode()
    if said.startswith("see "):
        return number(read, path.parent / said.removeprefix("see "))
    return int(said)


def watched(path: Path) -> Watched[int]:
    """What is tested."""
    path.write_text("1")
    return Watched(lambda read: number(read, path), what="number")


def test_a_changed_file_is_read_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Once: the log hears of it once."""
    caplog.set_level(logging.INFO)
    file = tmp_path / "number"
    value = watched(file)

    file.write_text("2")

    assert [value.current(), value.current()] == [2, 2]
    assert caplog.messages == ["number read anew"]


def test_a_file_that_another_names_is_watched_too(tmp_path: Path) -> None:
    """As a certificate that the web config names."""
    file = tmp_path / "number"
    value = watched(file)
    (tmp_path / "other").write_text("3")
    file.write_text("see other")
    first = value.current()

    (tmp_path / "other").write_text("4")

    assert [first, value.current()] == [3, 4]


def test_a_file_that_is_named_no_more_is_let_go(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its changes are nothing to us."""
    file = tmp_path / "number"
    value = watched(file)
    (tmp_path / "other").write_text("3")
    file.write_text("see other")
    value.current()
    file.write_text("5")
    value.current()
    caplog.set_level(logging.INFO)
    caplog.clear()

    (tmp_path / "other").write_text("4")

    assert value.current() == 5
    assert caplog.messages == []


def test_a_broken_file_keeps_the_old_value_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With the reason; and the next good one is taken."""
    file = tmp_path / "number"
    value = watched(file)

    file.write_text("many")
    assert [value.current(), value.current()] == [1, 1]
    said = [(record.getMessage(), record.__dict__["facts"]["why"]) for record in caplog.records]
    file.write_text("5")

    assert said == [
        ("number is wrong, the old one is kept", "invalid literal for int() with base 10: 'many'")
    ]
    assert value.current() == 5


def test_a_file_that_vanishes_keeps_the_old_value(tmp_path: Path) -> None:
    """And one that comes back, under a name that was broken before, is read."""
    file = tmp_path / "number"

    def load(read: Read) -> int:
        try:
            return number(read, file)
        except FileNotFoundError:
            raise ValueError("gone") from None

    file.write_text("1")
    value = Watched(load, what="number")
    file.unlink()
    first = value.current()
    file.write_text("6")

    assert [first, value.current()] == [1, 6]


def test_what_is_wrong_at_the_start_is_raised(tmp_path: Path) -> None:
    """There is no old value to keep."""
    (tmp_path / "number").write_text("many")

    with pytest.raises(ValueError, match="many"):
        Watched(lambda read: number(read, tmp_path / "number"), what="number")


def test_a_good_value_may_be_objected_to(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Then the old one is kept too, and the log says why."""
    file = tmp_path / "number"
    file.write_text("7")
    value = Watched(
        lambda read: number(read, file),
        what="number",
        objection=lambda old, new: f"{new} is less than {old}" if new < old else None,
    )

    file.write_text("6")

    assert value.current() == 7
    assert caplog.records[0].__dict__["facts"] == {"why": "6 is less than 7"}
