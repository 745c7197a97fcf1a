"""Tests of following/roster.py: what is told of tokens is what is known of them in the end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover_receiver.following import roster
from failover_receiver.following.roster import Roster, told
from failover_receiver.holders import Holder, Role

NAMES = st.sampled_from([f"{number:064x}" for number in range(8)])
HOLDERS = st.dictionaries(
    NAMES, st.tuples(st.sampled_from(["ann", "bob"]), st.sampled_from(list(Role)), st.none() | st.just(5.5))
).map(lambda said: {digest: Holder(name, role, digest, at) for digest, (name, role, at) in said.items()})


@given(states=st.lists(HOLDERS, min_size=1, max_size=5), piece=st.integers(1, 3))
def test_whoever_hears_all_of_it_knows_what_is_known(states: list[dict[str, Holder]], piece: int) -> None:
    """In pieces of any size, whatever changes between them; a part of it counts for nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(roster, "PIECE", piece)
        heard, before = Roster(), None
        for after in states:
            pieces = [heard.take(one) for one in told(before, after)]
            assert all(one is None for one in pieces[:-1])
            assert pieces[-1:] == ([] if before == after else [after])
            before = after


def test_nothing_new_is_not_told() -> None:
    """But that nobody is known is, to whoever begins."""
    assert list(told({}, {})) == []
    assert len(list(told(None, {}))) == 1


def test_a_role_of_a_newer_receiver_opens_nothing() -> None:
    """And keeps nobody else out."""
    piece = b'{"whole":true,"more":false,"gone":[],"known":[["a","x","wizard",null],["b","y","client",null]]}'

    assert Roster().take(piece) == {"b": Holder("y", Role.CLIENT, "b")}


@pytest.mark.parametrize(
    "piece",
    [b"", b"[]", b'{"whole":true}', b'{"whole":true,"more":false,"gone":[],"known":[1]}'],
    ids=["nothing", "list", "half", "row"],
)
def test_what_cannot_be_read_is_refused(piece: bytes) -> None:
    """Without a word of what it holds."""
    with pytest.raises(ValueError, match=r"^it told of tokens what cannot be read: \w+$"):
        Roster().take(piece)


def test_a_beginning_in_the_middle_is_refused() -> None:
    """All others would be sent away."""
    with pytest.raises(ValueError, match="in the middle"):
        Roster().take(b'{"whole":false,"more":false,"gone":[],"known":[]}')
