"""Tests of wgfleet/files.py."""

import stat
from pathlib import Path

import pytest

from wgfleet.files import read_secret, write_whole


def test_a_file_is_its_owners_alone_unless_said_otherwise(tmp_path: Path) -> None:
    """Secrets are written with it."""
    write_whole(tmp_path / "secret", b"s")
    write_whole(tmp_path / "open", b"o", mode=0o640)

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == {"secret": 0o600, "open": 0o640}


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """Here it fails at the very end: the name is a folder's."""
    target = tmp_path / "target"
    target.mkdir()
    (target / "inside").write_text("old")

    with pytest.raises(OSError, match="directory"):
        write_whole(target, b"new")

    assert [file.name for file in tmp_path.iterdir()] == ["target"]
    assert (target / "inside").read_text() == "old"


def test_a_secret_is_read_without_the_editors_newline(tmp_path: Path) -> None:
    """As `echo` and every editor leave it."""
    (tmp_path / "token").write_text("secret\n")

    assert read_secret(tmp_path / "token") == "secret"


def test_a_password_that_is_missing_is_not_called_a_token(tmp_path: Path) -> None:
    """Whoever is told of the wrong thing looks in the wrong place."""
    with pytest.raises(ValueError, match="is not there: it should hold the password"):
        read_secret(tmp_path / "store.password", what="password")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is not there: it should hold the token"),
        (b" \n", "is empty: it should hold the token"),
        (b"\xff\xfe", "holds no text"),
        (b"one\ntwo\n", "holds more than a secret: one line of printable ASCII was expected"),
        ("t\u00f6ken".encode(), "holds more than a secret: one line of printable ASCII was expected"),
    ],
)
def test_a_secret_that_cannot_be_used_is_told_without_its_content(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    """By its file's name."""
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ValueError, match=said) as caught:
        read_secret(file)

    assert str(caught.value) == f"{file} {said}"
