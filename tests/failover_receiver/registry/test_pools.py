"""Tests of failover_receiver/registry/pools.py."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover_receiver.registry.pools import Pool, Space, Span, lowest_free, span, spans, text


def space(**owned: str) -> Space:
    """Who holds which network."""
    made = Space()
    for owner, prefix in owned.items():
        made.take([span(prefix)], owner)
    return made


def given_out(network: str, *held: Space, start: int = 0) -> str | None:
    """The lowest free address as people write it."""
    number = lowest_free(Pool(network), held, start=start)
    return None if number is None else text(span(network).version, number)


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("10.99.0.0/16", "10.99.0.1"),
        ("fd99::/64", "fd99::1"),
        ("10.99.0.0/30", "10.99.0.1"),
        ("10.99.0.0/31", "10.99.0.0"),
        ("10.99.0.7/32", "10.99.0.7"),
        ("fd99::/127", "fd99::"),
    ],
)
def test_the_first_address_is_not_the_networks_own(network: str, address: str) -> None:
    """But in networks that are too small to have one."""
    assert given_out(network) == address


def test_the_last_address_of_ipv4_is_the_broadcast_address() -> None:
    """So a /30 has two, and IPv6 has no such thing."""
    taken = space(a="10.99.0.1", b="10.99.0.2", c="fd99::1", d="fd99::2")

    assert given_out("10.99.0.0/30", taken) is None
    assert given_out("fd99::/126", taken) == "fd99::3"


def test_the_lowest_address_that_nobody_holds_is_given() -> None:
    """Whatever is held by whom: a network, single addresses, in one space or in several."""
    clients = space(a="10.99.0.1", b="10.99.0.2", c="10.99.0.4", net="10.99.0.8/29")
    workers = space(fra1="10.99.0.3", ams1="10.99.0.5", lon1="10.99.0.7", mad1="fd99::10.99.0.6")

    assert given_out("10.99.0.0/24", clients, workers) == "10.99.0.6"
    workers.take([span("10.99.0.6")], "par1")
    assert given_out("10.99.0.0/24", clients, workers) == "10.99.0.16"


def test_what_was_freed_is_given_again() -> None:
    """The lowest first."""
    held = space(a="10.99.0.1", b="10.99.0.2", c="10.99.0.3")

    held.free([span("10.99.0.2")], "b")

    assert given_out("10.99.0.0/24", held) == "10.99.0.2"


def test_a_copy_changes_by_itself() -> None:
    """So that what is refused halfway has changed nothing."""
    held = space(a="10.99.0.1")

    held.copy().take([span("10.99.0.2")], "b")

    assert held.owner(span("10.99.0.2")) is None


@pytest.mark.parametrize(
    ("wanted", "owner"),
    [
        ("10.99.0.1", "a"),
        ("10.99.0.0/24", "net"),
        ("10.99.0.0/30", "a"),
        ("10.99.0.9", "net"),
        ("10.99.0.128/25", None),
        ("10.99.0.7", None),
        ("10.99.0.16", None),
        ("fd99::1", "six"),
        ("::/0", "six"),
        ("fd98::/16", None),
        ("::a63:1", None),
    ],
)
def test_an_overlap_is_found_in_either_direction(wanted: str, owner: str | None) -> None:
    """What is wanted lies within what is held, or around it; the two families are apart."""
    held = space(a="10.99.0.1", net="10.99.0.8/29", six="fd99::1")

    assert held.owner(span(wanted)) == owner


def test_one_owner_may_say_an_address_twice() -> None:
    """As its own address and within its network."""
    assert spans(["10.9.0.2/32", "10.9.0.0/24", "10.8.0.1", "fd00::1", "10.9.0.2/32"]) == [
        span("10.8.0.1"),
        span("10.9.0.0/24"),
        span("fd00::1"),
    ]


NETWORKS = st.builds(
    lambda address, length: ipaddress.ip_network((address, length), strict=False),
    st.integers(0, 63).map(ipaddress.IPv4Address) | st.integers(0, 63).map(ipaddress.IPv6Address),
    st.integers(26, 32),
)


@given(st.lists(NETWORKS), NETWORKS)
def test_spaces_agree_with_a_list_of_all_addresses(
    networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network],
    wanted: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> None:
    """Counted one by one, for small networks that overlap in every way."""
    held, members = Space(), dict[tuple[int, int], str]()
    for network in networks:
        one = span(str(network))
        addresses = (
            range(one.first, one.last + 1) if network.version == 4 else range(one.first, one.first + 64)
        )
        if held.owner(one) is None:
            held.take([one], str(network))
            members |= {(one.version, number): str(network) for number in addresses}
    searched = span(str(wanted))._replace(last=min(span(str(wanted)).last, 63))

    inside = {members.get((searched.version, number)) for number in range(searched.first, searched.last + 1)}
    owner = held.owner(searched)
    free = next(number for number in range(searched.first, 1000) if (searched.version, number) not in members)

    assert owner in (inside - {None} or {None})
    if searched.version == 4:
        assert held.free_from(4, searched.first) == free


def test_a_span_is_ordered_by_family_first() -> None:
    """The order that the spaces rely on."""
    assert sorted([Span(6, 0, 1), Span(4, 9, 9), Span(4, 2, 3)]) == [
        Span(4, 2, 3),
        Span(4, 9, 9),
        Span(6, 0, 1),
    ]
