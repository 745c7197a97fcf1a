"""Tests of client_sync/perworker/allotments.py: names and marks are nobody else's, and the same after a restart."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_sync.perworker.allotments import (
    LONGEST,
    LONGEST_PREFIX,
    Allotment,
    Allotments,
    allotted,
    interface_name,
)
from wgfleet.names import INTERFACE, NAME

FIRST = 958601


def test_a_short_name_is_the_workers_own() -> None:
    """So that `wg show` speaks for itself."""
    assert interface_name("wg", "frankfurt-12", ()) == "wg-frankfurt-12"


def test_a_long_name_is_its_beginning_and_a_digest() -> None:
    """The same each time."""
    assert interface_name("wg", "frankfurt-123", ()) == "wg-frank_e8399c"
    assert interface_name("wg", "frankfurt-124", ()) == "wg-frank_0230a7"


def test_a_digest_that_is_taken_is_made_anew() -> None:
    """Two names have the same one once in millions, but then the fleet must work too."""
    first = interface_name("wg", "frankfurt-123", ())

    second = interface_name("wg", "frankfurt-123", {first})

    assert second != first
    assert second.startswith("wg-frank_")


@given(
    st.lists(st.from_regex(NAME, fullmatch=True), unique=True, max_size=64),
    st.from_regex(r"[a-z0-9]{1,6}", fullmatch=True),
)
def test_every_worker_has_a_name_and_a_mark_of_its_own(workers: list[str], prefix: str) -> None:
    """Whatever they are called, and within what the kernel takes."""
    assert len(prefix) <= LONGEST_PREFIX
    of = allotted(prefix, FIRST, workers, {}, there=())

    names = [one.interface for one in of.values()]
    assert len(set(names)) == len(workers)
    assert all(len(name) <= LONGEST and INTERFACE.fullmatch(name) for name in names)
    assert sorted(one.mark for one in of.values()) == list(range(FIRST, FIRST + len(workers)))


def test_who_has_something_keeps_it_and_what_is_free_is_given_again() -> None:
    """A worker that is removed leaves its mark to the next; nobody else's changes."""
    before = allotted("wg", FIRST, ["w1", "w2", "w3"], {}, there=())
    del before["w2"]

    after = allotted("wg", FIRST, ["w4", "w3"], before, there=())

    assert after["w1"] == before["w1"]
    assert after["w3"] == before["w3"]
    assert after["w4"] == Allotment("wg-w4", FIRST + 1, made=True)


def test_an_interface_that_is_there_already_is_not_ours() -> None:
    """We may use it, and must not remove it."""
    assert not allotted("wg", FIRST, ["w1"], {}, there=["wg-w1"])["w1"].made


def test_what_is_kept_is_there_after_a_restart(tmp_path: Path) -> None:
    """Names, marks, addresses, drains, and what was routed."""
    kept = Allotments(tmp_path)
    one = Allotment("wg-w1", FIRST, made=True, addresses=("10.99.0.1",))
    kept.keep({"w1": one, "w2": Allotment("wg-w2", FIRST + 1, made=False)}, routed=("0.0.0.0/0",))
    kept.note_drains({"w1": 12.5})

    again = Allotments(tmp_path)

    assert again.of == kept.of
    assert again.of["w1"] == Allotment("wg-w1", FIRST, True, ("10.99.0.1",), 12.5)
    assert again.routed == ("0.0.0.0/0",)
    assert again.worker_on("wg-w2") == "w2"
    assert again.worker_on("wg-w3") is None
    assert again.worker_on(None) is None


def test_a_drain_that_is_over_is_forgotten(tmp_path: Path) -> None:
    """The next one begins anew."""
    kept = Allotments(tmp_path)
    kept.keep({"w1": Allotment("wg-w1", FIRST, made=True)})
    kept.note_drains({"w1": 12.5})

    kept.note_drains({})

    assert Allotments(tmp_path).of["w1"].draining_since is None


@pytest.mark.parametrize(
    "content", ["", "[]", '{"workers": 7, "routed": []}', '{"workers": {"w1": {"x": 1}}}', "\xff"]
)
def test_a_broken_file_counts_as_empty(tmp_path: Path, content: str) -> None:
    """We then remove too little, and not too much."""
    (tmp_path / "interfaces.json").write_text(content, encoding="latin-1")

    assert Allotments(tmp_path).of == {}
