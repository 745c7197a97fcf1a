"""Tests of client_sync/addresses.py."""

import socket
from pathlib import Path

import pytest

from client_sync.addresses import AddressBook, lookup

HOST = "monitoring.example.com"


def test_addresses_are_remembered_from_run_to_run(tmp_path: Path) -> None:
    """In the order in which they were found."""
    AddressBook(tmp_path / "book").remember(HOST, ["2001:db8::1", "192.0.2.1"])

    assert AddressBook(tmp_path / "book").remembered(HOST) == ["2001:db8::1", "192.0.2.1"]


def test_a_name_that_was_never_resolved_has_no_addresses(tmp_path: Path) -> None:
    """An empty list, not an error."""
    assert AddressBook(tmp_path / "book").remembered(HOST) == []


def test_newer_addresses_take_the_place_of_older_ones(tmp_path: Path) -> None:
    """Of that name only."""
    book = AddressBook(tmp_path / "book")
    book.remember(HOST, ["192.0.2.1"])
    book.remember("other.example.com", ["192.0.2.9"])
    book.remember(HOST, ["192.0.2.2"])

    again = AddressBook(tmp_path / "book")
    assert again.remembered(HOST) == ["192.0.2.2"]
    assert again.remembered("other.example.com") == ["192.0.2.9"]


def test_what_is_known_already_is_not_written_again(tmp_path: Path) -> None:
    """Each connection looks up; the disk is left in peace."""
    book = AddressBook(tmp_path / "book")
    book.remember(HOST, ["192.0.2.1"])
    (tmp_path / "book").unlink()

    book.remember(HOST, ("192.0.2.1",))

    assert not (tmp_path / "book").exists()


def test_what_is_given_out_can_be_changed_without_harm(tmp_path: Path) -> None:
    """The book keeps its own list."""
    book = AddressBook(tmp_path / "book")
    book.remember(HOST, ["192.0.2.1"])

    book.remembered(HOST).clear()

    assert book.remembered(HOST) == ["192.0.2.1"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"17", b"\xff\xfe"])
def test_a_broken_book_counts_as_empty(tmp_path: Path, content: bytes) -> None:
    """And can be written anew."""
    (tmp_path / "book").write_bytes(content)
    book = AddressBook(tmp_path / "book")
    assert book.remembered(HOST) == []

    book.remember(HOST, ["192.0.2.1"])

    assert AddressBook(tmp_path / "book").remembered(HOST) == ["192.0.2.1"]


def test_what_is_no_list_of_addresses_is_left_out(tmp_path: Path) -> None:
    """The rest is still good."""
    (tmp_path / "book").write_text('{"a": "192.0.2.1", "b": [17], "c": ["192.0.2.3"], "d": null}')
    book = AddressBook(tmp_path / "book")

    assert [book.remembered(host) for host in "abcd"] == [[], [], ["192.0.2.3"], []]


def test_a_lookup_finds_every_address_once() -> None:
    """An address is its own name; the system is asked."""
    assert lookup("127.0.0.1", 80) == ["127.0.0.1"]
    assert lookup("::1", 80) == ["::1"]
    # A name that the resolver knows by itself, on a machine without any /etc/hosts too.
    assert lookup("0x7f.1", 80) == ["127.0.0.1"]


def test_a_lookup_that_fails_is_an_oserror() -> None:
    """As the callers expect; `.invalid` never resolves (RFC 2606)."""
    with pytest.raises(socket.gaierror):
        lookup("nothing.invalid", 80)
