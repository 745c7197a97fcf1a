"""Tests of a roll that is replaced by what others have left: whatever it was before, it is that."""

from hypothesis import given
from hypothesis import strategies as st

from failover_receiver.registry.clients import Client, Revocation, Roll
from failover_receiver.registry.pools import span

NAMES, KEYS, ADDRESSES = "abc", "xyz", ("10.0.0.1", "10.0.0.2", "10.0.0.3")


@st.composite
def clients(draw: st.DrawFn) -> list[Client]:
    """Some, each with a key and an address of its own."""
    keys, addresses = draw(st.permutations(KEYS)), draw(st.permutations(ADDRESSES))
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    return [Client(name, keys[at], (addresses[at],)) for at, name in enumerate(names)]


@given(before=clients(), after=clients())
def test_it_is_as_if_it_had_been_made_so(before: list[Client], after: list[Client]) -> None:
    """By name, by key and by address; and the one before is as it was."""
    roll, wanted = Roll(before), Roll(after, [Revocation("k", "n", 1.0)], {"10.0.0.9": 2.0}, (1, 2))

    made = roll.replaced(after, [Revocation("k", "n", 1.0)], {"10.0.0.9": 2.0}, (1, 2))

    for one, other in ((made, wanted), (roll, Roll(before))):
        assert (one.clients, one.by_key) == (other.clients, other.by_key)
        owners = [[each.space.owner(span(address)) for address in ADDRESSES] for each in (one, other)]
        assert owners[0] == owners[1]
        assert (one.revocations, one.freed, one.confirmed) == (
            other.revocations,
            other.freed,
            other.confirmed,
        )
