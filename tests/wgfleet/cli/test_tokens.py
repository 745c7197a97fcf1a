"""Tests of wgfleet/cli/tokens.py: against a receiver that runs."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.failover_receiver.running import Running
from tests.wgfleet.cli.operating import Run, operating
from wgfleet.cli.tokens import until

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One that serves."""
    with Running(tmp_path_factory.mktemp("fleet") / "receiver") as running:
        yield running


@pytest.fixture
def wgfleet(receiver: Running) -> Run:
    """Runs the command as an operator would."""
    return operating(receiver.url, receiver.directory, "token")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90d", NOW + 90 * 86400),
        ("12h", NOW + 12 * 3600),
        ("2w", NOW + 14 * 86400),
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC).timestamp()),
        ("2027-01-31T18:00", datetime(2027, 1, 31, 18, tzinfo=UTC).timestamp()),
        ("2027-01-31T18:00+02:00", datetime(2027, 1, 31, 16, tzinfo=UTC).timestamp()),
    ],
)
def test_when_a_token_shall_end_is_said_as_people_say_it(text: str, at: float) -> None:
    """From now, or by a date, which is in UTC where it does not say otherwise."""
    assert until(text, now=NOW) == at


@pytest.mark.parametrize("text", ["", "soon", "90", "90m", "-1d", "2027-13-01", "1.5d"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """With examples."""
    with pytest.raises(
        ValueError,
        match=r"is no time: hours, days or weeks, as 12h, 90d, 4w, or a date, as 2027-01-31 or 2027-01-31T18:00$",
    ):
        until(text, now=NOW)


@pytest.mark.parametrize("text", ["0d", "2026-11-22", "1999-12-31"])
def test_what_is_over_is_refused(text: str) -> None:
    """A token that never opens would be found out too late."""
    with pytest.raises(ValueError, match="is not to come"):
        until(text, now=NOW)


def test_a_token_is_listed_with_its_end_and_when_it_was_used(
    wgfleet: Run, receiver: Running, tmp_path: Path
) -> None:
    """The operator's own was used just now; the new one has not been."""
    wgfleet(
        "create", "contractor", "--role", "operator", "--expires", "2099-01-31", "--output", tmp_path / "t"
    )

    for_people = {line.split()[0]: line.split() for line in wgfleet("list").stdout.splitlines()}
    for_programs = {token["name"]: token for token in json.loads(wgfleet("list", "--json").stdout)}

    assert for_people["contractor"][4:6] == ["2099-01-31", "00:00:00"]
    assert for_people["contractor"][6:] == ["not", "since", "the", "receiver", "started"]
    assert for_people["operator"][4] == "never"
    assert for_people["operator"][5].startswith("20")
    assert for_programs["contractor"]["expires_at"] == datetime(2099, 1, 31, tzinfo=UTC).timestamp()
    assert for_programs["contractor"]["last_used_at"] is None
    assert for_programs["operator"]["last_used_at"] > for_programs["operator"]["created_at"]
    assert receiver.directory.is_dir()


def test_a_mistyped_end_makes_no_token(wgfleet: Run) -> None:
    """2: it was asked wrongly."""
    refused = wgfleet("create", "mistake", "--role", "client", "--expires", "tomorrow")

    assert refused.returncode == 2
    assert "argument --expires: 'tomorrow' is no time" in refused.stderr
    assert "mistake" not in wgfleet("list").stdout


def test_a_folder_that_is_not_there_makes_no_token(wgfleet: Run, tmp_path: Path) -> None:
    """Or somebody would have to revoke it again."""
    refused = wgfleet("create", "nowhere", "--role", "client", "--output", tmp_path / "no" / "token")

    assert refused.returncode == 1
    assert f"{tmp_path / 'no'} is no folder: make it first" in refused.stderr
    assert "nowhere" not in wgfleet("list").stdout


def test_revoking_nobody_is_told(wgfleet: Run) -> None:
    """A misspelt name would leave the right one open."""
    refused = wgfleet("revoke", "nobody")

    assert refused.returncode == 1
    assert "there is no token named 'nobody'" in refused.stderr
