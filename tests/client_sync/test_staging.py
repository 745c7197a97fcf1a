"""Tests of client_sync/staging.py."""

from pathlib import Path

from client_sync.staging import Staged


def test_files_that_are_not_put_are_gone(tmp_path: Path) -> None:
    """Whatever happens."""
    with Staged(tmp_path) as files:
        assert files.write("a", b"a").exists()

    assert list(tmp_path.iterdir()) == []


def test_files_are_put_with_what_was_written_last(tmp_path: Path) -> None:
    """Shorter than what was reserved, too."""
    with Staged(tmp_path) as files:
        files.write("a", b"long enough")
        files.write("a", b"short")
        assert files.put() == [tmp_path / "a"]

    assert (tmp_path / "a").read_bytes() == b"short"
