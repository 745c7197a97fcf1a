"""Tests of client_sync/showing.py."""

import json
import logging
from pathlib import Path

import pytest

from client_sync.feed import Way
from client_sync.report import describe
from client_sync.showing import Showing, headline
from client_sync.state import State
from client_sync.textfile import page
from tests.client_sync.samples import peer_set, worker

STATUS = describe(
    State(peer_set(worker(1), generation=7), active="w1"), "https://a.example.com", Way.STREAM, now=6.0
)


def test_all_who_ask_on_this_machine_are_shown_the_same(tmp_path: Path) -> None:
    """The status is its owner's alone; node_exporter is another user and may read its page."""
    told: list[str] = []
    status, textfile = tmp_path / "status.json", tmp_path / "wgfleet.prom"

    Showing(status, textfile, told.append).show(STATUS)

    assert json.loads(status.read_text()) == STATUS
    assert textfile.read_text() == page(STATUS)
    assert told == ["w1 active; peer set 1.7, from https://a.example.com"]
    assert [file.stat().st_mode & 0o777 for file in (status, textfile)] == [0o600, 0o644]


def test_a_vantage_says_how_many_workers_answer() -> None:
    """Nobody is its active worker."""
    status = {"role": "vantage", **describe(State(peer_set(worker(1), generation=7)), None, now=6.0)}

    assert headline(status) == "0 of 1 workers answer; peer set 1.7, no receiver reached"


def test_without_a_textfile_none_is_written(tmp_path: Path) -> None:
    """It has to be asked for."""
    Showing(tmp_path / "status.json", None, lambda _line: None).show(STATUS)

    assert [file.name for file in tmp_path.iterdir()] == ["status.json"]


def test_a_file_that_cannot_be_written_is_said_and_keeps_the_others_from_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder is missing."""
    told: list[str] = []

    Showing(tmp_path / "gone" / "status.json", tmp_path / "wgfleet.prom", told.append).show(STATUS)

    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, "status not written")
    ]
    assert (tmp_path / "wgfleet.prom").exists()
    assert len(told) == 1


@pytest.mark.parametrize(
    ("state", "receiver", "way", "line"),
    [
        (State(), None, None, "no worker active; no peer set yet, no receiver reached"),
        (State(peer_set()), "https://a", Way.POLL, "no worker active; peer set 1.1, asked from https://a"),
    ],
)
def test_the_line_for_people_says_what_is_missing(
    state: State, receiver: str | None, way: Way | None, line: str
) -> None:
    """In words."""
    assert headline(describe(state, receiver, way, now=6.0)) == line
