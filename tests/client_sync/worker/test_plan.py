"""Tests of client_sync/worker/plan.py: what changes, what stays, and what is refused."""

import dataclasses

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from client_sync.worker.plan import Plan, Withheld, foreign_prefixes, refusal, step, whole
from tests.client_sync.samples import public_key
from tests.client_sync.worker.samples import MONITORING, OWN, client, client_list, many, peer, present
from tests.wgfleet.model import after, owners
from wgfleet.clientlist import ClientList, ListedClient
from wgfleet.device import Device, Peer
from wgfleet.diff import Kind, PeerChange

NOBODY: frozenset[str] = frozenset()


def keys(*numbers: int) -> frozenset[str]:
    """Public keys of clients."""
    return frozenset(map(public_key, numbers))


def planned(
    peers: tuple[Peer, ...], clients: ClientList, ours: frozenset[str] = NOBODY, *, removing: bool = True
) -> Plan:
    """What is planned for an interface with these peers."""
    return whole(present(Device("wg0", OWN, 1, None, peers)), OWN, clients, ours, removing=removing)


def test_clients_become_peers_with_nothing_but_their_allowed_ips() -> None:
    """No endpoint: they roam. No keepalive: that is theirs to send."""
    assert planned((), client_list(client(1), client(2, "192.168.7.0/24"))).changes == (
        PeerChange(Kind.ADD, public_key(1), allowed_ips=("10.99.1.1/32",)),
        PeerChange(Kind.ADD, public_key(2), allowed_ips=("10.99.1.2/32", "192.168.7.0/24")),
    )


def test_peers_that_are_as_they_should_be_are_left_alone() -> None:
    """Ours and others'."""
    assert planned((peer(1), peer(2), MONITORING), client_list(client(1), client(2)), keys(1)) == Plan()


def test_our_peers_that_are_no_clients_any_more_go() -> None:
    """And nobody else's: neither the monitoring host's nor one that is no client and that others added."""
    plan = planned((peer(1), peer(2), peer(3), MONITORING), client_list(client(1)), keys(1, 2))

    assert plan.changes == (PeerChange(Kind.REMOVE, public_key(2)),)
    assert plan.removed == keys(2)


def test_a_clients_peer_that_others_added_gets_what_it_lacks_and_keeps_what_it_has() -> None:
    """It does not become ours by that."""
    plan = planned((peer(1, "172.16.0.0/16"),), client_list(client(1, "192.168.7.0/24")))

    assert plan.changes == (
        PeerChange(
            Kind.UPDATE, public_key(1), allowed_ips=("10.99.1.1/32", "192.168.7.0/24", "172.16.0.0/16")
        ),
    )
    assert plan.added == NOBODY


def test_our_own_peer_has_what_the_list_says_and_no_more() -> None:
    """A network that is behind the client no longer."""
    plan = planned((peer(1, "172.16.0.0/16"),), client_list(client(1)), keys(1))

    assert plan.changes == (PeerChange(Kind.UPDATE, public_key(1), allowed_ips=("10.99.1.1/32",)),)


def test_a_revoked_peer_that_others_added_stays_and_carries_nothing() -> None:
    """It is not ours to remove, and revoked is revoked."""
    plan = planned((peer(1), MONITORING), client_list(revoked=[1]))

    assert plan.changes == (PeerChange(Kind.UPDATE, public_key(1), allowed_ips=()),)
    assert plan.cut == (public_key(1),)


def test_one_that_carries_nothing_already_is_left_alone() -> None:
    """It is said once."""
    bare = dataclasses.replace(peer(1), allowed_ips=())

    assert planned((bare,), client_list(revoked=[1])) == Plan()


def test_one_that_was_revoked_and_is_a_client_again_is_a_client() -> None:
    """Revoked keys are told for 90 days."""
    assert planned((peer(1),), client_list(client(1), revoked=[1])) == Plan()


def test_without_the_receiver_only_who_was_revoked_is_taken_away() -> None:
    """The list on disk may be older than the peers that there are."""
    plan = planned(
        (peer(1), peer(2), peer(3)), client_list(client(1), revoked=[3]), keys(1, 2, 3), removing=False
    )

    assert plan.changes == (PeerChange(Kind.REMOVE, public_key(3)),)


def test_an_address_of_a_peer_that_others_added_is_not_given_to_a_client() -> None:
    """The monitoring host would be cut off, and every worker would look dead."""
    clients = client_list(ListedClient("c1", public_key(1), ("10.99.0.250/32", "10.99.1.1/32")))

    plan = planned((MONITORING,), clients)

    assert plan.changes == (PeerChange(Kind.ADD, public_key(1), allowed_ips=("10.99.1.1/32",)),)
    assert plan.withheld == (Withheld("c1", "10.99.0.250/32", MONITORING.public_key),)


def test_a_monitoring_host_that_is_registered_has_its_own_address() -> None:
    """And stays as it is."""
    clients = client_list(ListedClient("mon", MONITORING.public_key, MONITORING.allowed_ips))

    assert planned((MONITORING,), clients) == Plan()


def test_an_address_that_a_revoked_peer_held_is_free() -> None:
    """Its next holder gets it, and WireGuard takes it from that peer in the same step."""
    clients = client_list(ListedClient("c2", public_key(2), ("10.99.1.1/32",)), revoked=[1])

    plan = planned((peer(1),), clients)

    assert plan.withheld == ()
    assert plan.changes == (PeerChange(Kind.ADD, public_key(2), allowed_ips=("10.99.1.1/32",)),)


def test_the_interfaces_own_key_is_no_peer() -> None:
    """WireGuard ignores it, and we would add it for ever."""
    assert planned((), client_list(ListedClient("self", OWN, ("10.99.0.1/32",)))) == Plan()


def test_of_two_lists_only_what_differs_is_looked_at() -> None:
    """One comes, one goes, one changes; the rest of the interface may be as it likes until the next look."""
    before = client_list(client(1), client(2), client(3))
    after_it = client_list(client(1), client(3, "192.168.7.0/24"), client(4), generation=2)
    there = {public_key(1): (), public_key(2): ("10.99.1.2/32",), public_key(3): ("10.99.1.3/32",)}

    plan = step(there, OWN, before, after_it, ours=keys(1, 2, 3), foreign={})

    assert plan.changes == (
        PeerChange(Kind.UPDATE, public_key(3), allowed_ips=("10.99.1.3/32", "192.168.7.0/24")),
        PeerChange(Kind.ADD, public_key(4), allowed_ips=("10.99.1.4/32",)),
        PeerChange(Kind.REMOVE, public_key(2)),
    )


ADDRESSES = [f"10.99.1.{number}/32" for number in range(1, 6)]


@st.composite
def lists(draw: st.DrawFn, generation: int) -> ClientList:
    """Some of five clients with some of five addresses, each once."""
    numbers = draw(st.lists(st.integers(1, 5), unique=True))
    free = draw(st.permutations(ADDRESSES))
    clients = []
    for number in numbers:
        take = draw(st.integers(0, 2))
        mine, free = tuple(free[:take]), free[take:]
        clients.append(ListedClient(f"c{number}", public_key(number), mine))
    listed = {one.public_key for one in clients}
    revoked = [n for n in draw(st.lists(st.integers(1, 5), unique=True)) if public_key(n) not in listed]
    return client_list(*clients, generation=generation, revoked=revoked)


@st.composite
def hands(draw: st.DrawFn) -> tuple[Peer, ...]:
    """Peers that others added: some of the clients', and one that is nobody's."""
    numbers = draw(st.lists(st.sampled_from([1, 2, 3, 9]), unique=True))
    free = draw(st.permutations(ADDRESSES))
    return tuple(
        Peer(public_key(number), "192.0.2.9:9", (free[place],), 7, 1, 1, 25)
        for place, number in enumerate(numbers)
    )


def carried_out(device: Device, plan: Plan) -> Device:
    """What the interface is then."""
    for change in plan.changes:
        device = after(device, change)
    return device


@given(lists(1), lists(2), hands())
def test_step_by_step_leads_to_where_one_look_leads(
    first: ClientList, second: ClientList, others: tuple[Peer, ...]
) -> None:
    """Whatever others added is never gone, its endpoint and keepalive are never touched, and no look finds more to do."""
    device = Device("wg0", OWN, 1, None, others)
    one = whole(present(device), OWN, first, NOBODY, removing=True)
    assume(not one.withheld)  # Then everything is looked at instead.
    device, ours = carried_out(device, one), one.added
    foreign = foreign_prefixes(present(device), {client.public_key for client in first.clients}, ours)

    two = step(present(device), OWN, first, second, ours=ours, foreign=foreign)
    device, ours = carried_out(device, two), (ours | two.added) - two.removed

    assert whole(present(device), OWN, second, ours, removing=True).changes == ()
    for peer_of_others in others:
        kept = device.peer(peer_of_others.public_key)
        assert kept is not None
        assert (kept.endpoint, kept.persistent_keepalive) == ("192.0.2.9:9", 25)
    listed = {client.public_key for client in second.clients}
    assert listed <= {one.public_key for one in device.peers}
    assert not set(owners(device).values()) & set(second.revoked)
    assert ours <= listed


# What is refused.


def test_the_first_list_is_applied_whatever_it_says() -> None:
    """There is nobody to lose."""
    assert refusal(None, client_list(), NOBODY) is None


def test_a_list_that_would_take_many_away_unexplained_is_refused() -> None:
    """It names some, and what to do."""
    refused = refusal(many(20), many(12, generation=2), NOBODY)

    assert refused is not None
    assert "remove 8 of 20 clients at once" in str(refused)


def test_where_the_list_that_was_held_is_lost_our_peers_stand_for_it() -> None:
    """A worker that lost its list must not be emptied by a receiver that lost its clients."""
    refused = refusal(None, client_list(generation=9, confirmed=(1, 3)), keys(*range(1, 11)))

    assert refused is not None
    assert refused.of == 10


@pytest.mark.parametrize(("confirmed", "applied"), [((1, 9), True), ((1, 8), False), (None, False)])
def test_then_only_a_list_that_is_the_confirmation_itself_explains_it(
    confirmed: tuple[int, int] | None, applied: bool
) -> None:
    """An earlier one may have been for others."""
    refused = refusal(None, client_list(generation=9, confirmed=confirmed), keys(*range(1, 11)))

    assert (refused is None) is applied
