"""Tests of wgfleet/diff.py: by example, then against a small model of WireGuard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wgfleet.model import after, owners, without
from wgfleet.device import Device, Peer
from wgfleet.diff import Kind, PeerChange, WantedPeer, arguments, configuration, difference, fits_file

ALL = "0.0.0.0/0"
HERE, THERE = "192.0.2.1:51820", "[2001:db8::1]:51820"


def present(
    key: str, *allowed_ips: str, endpoint: str | None = HERE, persistent_keepalive: int | None = 25
) -> Peer:
    """A peer that the device has."""
    return Peer(key, endpoint, allowed_ips, 1795362620, 1748, 988, persistent_keepalive)


def wanted(
    key: str, *allowed_ips: str, endpoint: str | None = HERE, persistent_keepalive: int | None = 25
) -> WantedPeer:
    """The same peer, wanted."""
    return WantedPeer(key, endpoint, allowed_ips, persistent_keepalive)


def device(*peers: Peer) -> Device:
    """An interface with these peers."""
    return Device("wg0", "own", 51820, None, peers)


def test_a_device_as_it_should_be_needs_no_change() -> None:
    """In whatever order its prefixes stand, and whatever its counters say."""
    has = device(present("a", "10.0.0.1/32", ALL), present("b"))

    assert difference(has, [wanted("b"), wanted("a", ALL, "10.0.0.1/32")]) == ()


def test_a_failover_is_one_change_that_names_the_new_owner_only() -> None:
    """The prefix leaves its old owner by being given to the new one; nothing is taken away first."""
    has = device(present("a", "10.0.0.1/32", ALL), present("b", "10.0.0.2/32"))
    wants = [wanted("a", "10.0.0.1/32"), wanted("b", "10.0.0.2/32", ALL)]

    assert difference(has, wants) == (PeerChange(Kind.UPDATE, "b", allowed_ips=("10.0.0.2/32", ALL)),)


def test_a_missing_peer_is_added_whole() -> None:
    """Endpoint, prefixes and keepalive come with it."""
    expected = (PeerChange(Kind.ADD, "a", HERE, (ALL,), 25),)

    assert difference(device(), [wanted("a", ALL)]) == expected


def test_a_peer_is_added_without_what_it_lacks() -> None:
    """No endpoint and no keepalive are no words to `wg`."""
    new = wanted("a", endpoint=None, persistent_keepalive=None)

    assert difference(device(), [new]) == (PeerChange(Kind.ADD, "a", None, (), None),)


def test_a_peer_that_is_already_there_is_adopted() -> None:
    """It is brought to what is wanted by an update, so that its session lives on."""
    has = device(present("a", endpoint=None, persistent_keepalive=None))

    assert difference(has, [wanted("a", ALL)]) == (PeerChange(Kind.UPDATE, "a", HERE, (ALL,), 25),)


def test_a_moved_endpoint_changes_the_endpoint_only() -> None:
    """The prefixes are not set anew."""
    expected = (PeerChange(Kind.UPDATE, "a", endpoint=THERE),)

    assert difference(device(present("a", ALL)), [wanted("a", ALL, endpoint=THERE)]) == expected


def test_an_endpoint_that_nobody_wants_is_left_as_it_roams() -> None:
    """A worker does not know where its clients are; the device does."""
    assert difference(device(present("a", endpoint=THERE)), [wanted("a", endpoint=None)]) == ()


@pytest.mark.parametrize(("before", "after", "words"), [(25, 10, 10), (None, 25, 25), (25, None, 0)])
def test_a_keepalive_is_set_changed_and_turned_off(before: int | None, after: int | None, words: int) -> None:
    """Off is said as 0, because None would say: as it is."""
    has = device(present("a", persistent_keepalive=before))
    expected = (PeerChange(Kind.UPDATE, "a", persistent_keepalive=words),)

    assert difference(has, [wanted("a", persistent_keepalive=after)]) == expected


def test_a_prefix_that_nobody_wants_is_taken_away() -> None:
    """What no other wanted peer is given does not go by itself."""
    has = device(present("a", "10.0.0.1/32", ALL))

    assert difference(has, [wanted("a")]) == (PeerChange(Kind.UPDATE, "a", allowed_ips=()),)


def test_growing_comes_before_shrinking_and_removing() -> None:
    """So that a prefix which one peer loses and another gains never rests on nobody."""
    has = device(present("old", "10.0.0.3/32"), present("a", "10.0.0.1/32", "10.0.0.9/32"), present("b"))
    wants = [wanted("a", "10.0.0.1/32"), wanted("b", "10.0.0.3/32"), wanted("c")]
    expected = [("update", "b"), ("add", "c"), ("update", "a"), ("remove", "old")]

    changes = difference(has, wants, removable={"old"})

    assert [(change.kind, change.public_key) for change in changes] == expected


def test_two_peers_swap_their_prefixes_without_a_gap() -> None:
    """The first keeps what it gives away until the second has taken it."""
    has = device(present("a", "10.0.0.1/32"), present("b", "10.0.0.2/32"))
    expected = (
        PeerChange(Kind.UPDATE, "a", allowed_ips=("10.0.0.2/32", "10.0.0.1/32")),
        PeerChange(Kind.UPDATE, "b", allowed_ips=("10.0.0.1/32",)),
    )

    assert difference(has, [wanted("a", "10.0.0.2/32"), wanted("b", "10.0.0.1/32")]) == expected


def test_a_prefix_wanted_for_two_peers_goes_to_the_last_and_stays_there() -> None:
    """As WireGuard itself has it; else each round would move it back and forth."""
    wants = [wanted("a", ALL), wanted("b", ALL)]

    assert difference(device(present("a"), present("b", ALL)), wants) == ()


def test_somebody_elses_peer_is_left_alone() -> None:
    """A peer that is neither wanted nor removable keeps endpoint, keepalive and prefixes."""
    has = device(present("friend", "10.9.0.0/16", endpoint=THERE))

    assert difference(has, [], removable={"a"}) == ()


def test_only_removable_peers_are_removed_and_only_if_present_and_unwanted() -> None:
    """Of all that may be removed, what is wanted stays, and what is gone is not removed again."""
    has = device(present("ours"), present("wanted"), present("friend"))

    changes = difference(has, [wanted("wanted")], removable={"ours", "wanted", "gone"})

    assert changes == (PeerChange(Kind.REMOVE, "ours"),)


@pytest.mark.parametrize(
    ("change", "text", "words"),
    [
        (
            PeerChange(Kind.ADD, "a", THERE, (ALL, "::/0"), 25),
            f"add peer a endpoint {THERE} allowed-ips 0.0.0.0/0,::/0 persistent-keepalive 25",
            ["peer", "a", "endpoint", THERE, "persistent-keepalive", "25", "allowed-ips", "0.0.0.0/0,::/0"],
        ),
        (
            PeerChange(Kind.UPDATE, "a", allowed_ips=(), persistent_keepalive=0),
            "update peer a allowed-ips (none) persistent-keepalive off",
            ["peer", "a", "persistent-keepalive", "0", "allowed-ips", ""],
        ),
        (PeerChange(Kind.UPDATE, "a"), "update peer a", ["peer", "a"]),
        (PeerChange(Kind.REMOVE, "a"), "remove peer a", ["peer", "a", "remove"]),
    ],
)
def test_a_change_reads_and_runs_in_the_words_of_wg(change: PeerChange, text: str, words: list[str]) -> None:
    """For the log, and as arguments of `wg set`."""
    assert text == str(change)
    assert words == arguments([change])


def test_the_arguments_of_several_changes_keep_their_order() -> None:
    """One `wg set` carries them out from left to right."""
    changes = [PeerChange(Kind.UPDATE, "b", allowed_ips=(ALL,)), PeerChange(Kind.REMOVE, "a")]

    assert arguments(changes) == ["peer", "b", "allowed-ips", ALL, "peer", "a", "remove"]


# Against a model of WireGuard.

KEYS = "abcde"
PREFIXES = [f"10.0.0.{number}/32" for number in range(1, 5)] + [ALL, "::/0"]
ENDPOINTS = st.sampled_from([HERE, THERE, None])
KEEPALIVES = st.sampled_from([25, 10, None])


@st.composite
def sharings(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    """Some keys in any order, and prefixes that each belong to one of them at most."""
    keys = draw(st.lists(st.sampled_from(KEYS), unique=True))
    owners = {prefix: draw(st.sampled_from([*keys, None])) for prefix in draw(st.permutations(PREFIXES))}
    return {key: tuple(prefix for prefix, owner in owners.items() if owner == key) for key in keys}


@st.composite
def devices(draw: st.DrawFn) -> Device:
    """Any interface that there can be."""
    peers = draw(sharings()).items()
    return device(
        *(
            present(key, *prefixes, endpoint=draw(ENDPOINTS), persistent_keepalive=draw(KEEPALIVES))
            for key, prefixes in peers
        )
    )


@st.composite
def wishes(draw: st.DrawFn) -> list[WantedPeer]:
    """Any list of wanted peers that can be had."""
    peers = draw(sharings()).items()
    return [
        wanted(key, *prefixes, endpoint=draw(ENDPOINTS), persistent_keepalive=draw(KEEPALIVES))
        for key, prefixes in peers
    ]


@given(has=devices(), wants=wishes(), removable=st.sets(st.sampled_from(KEYS)))
def test_the_changes_always_lead_to_what_is_wanted(
    has: Device, wants: list[WantedPeer], removable: set[str]
) -> None:
    """From any device: each wanted peer is as wanted, of the others only the removable ones go, and nothing is left."""
    keys = {peer.public_key for peer in wants}
    taken = {prefix for peer in wants for prefix in peer.allowed_ips}
    result = has
    for change in difference(has, wants, removable=removable):
        result = after(result, change)

    for want in wants:
        before, now = has.peer(want.public_key), result.peer(want.public_key)
        assert now is not None
        assert set(want.allowed_ips) == set(now.allowed_ips)
        assert (want.endpoint or (before.endpoint if before else None)) == now.endpoint
        assert want.persistent_keepalive == now.persistent_keepalive
    strangers = {peer for peer in has.peers if peer.public_key not in keys | removable}
    assert {without(peer, taken) for peer in strangers} == {
        peer for peer in result.peers if peer.public_key not in keys
    }
    assert difference(result, wants, removable=removable) == ()


@given(has=devices(), wants=wishes(), removable=st.sets(st.sampled_from(KEYS)))
def test_a_wanted_prefix_never_rests_on_nobody(
    has: Device, wants: list[WantedPeer], removable: set[str]
) -> None:
    """After every single change, what is wanted and had an owner has one."""
    must_rest = owners(has).keys() & {prefix for peer in wants for prefix in peer.allowed_ips}
    for change in difference(has, wants, removable=removable):
        has = after(has, change)
        assert must_rest <= owners(has).keys()


@given(has=devices(), wants=wishes(), removable=st.sets(st.sampled_from(KEYS)))
def test_each_peer_is_changed_once_at_most_and_never_for_nothing(
    has: Device, wants: list[WantedPeer], removable: set[str]
) -> None:
    """A second change of a peer, or one without effect, would be a step that can be left out."""
    changes = difference(has, wants, removable=removable)

    assert len({change.public_key for change in changes}) == len(changes)
    for change in changes:
        assert PeerChange(Kind.UPDATE, change.public_key) != change


def test_a_file_says_what_is_added_and_changed() -> None:
    """For `wg addconf`, which leaves what the file does not name."""
    changes = [
        PeerChange(Kind.ADD, "a", "192.0.2.1:1", ("10.0.0.1/32", "fd00::1/128"), 25),
        PeerChange(Kind.UPDATE, "b", allowed_ips=(), persistent_keepalive=0),
    ]

    assert configuration(changes) == (
        "[Peer]\nPublicKey = a\nAllowedIPs = 10.0.0.1/32, fd00::1/128\nEndpoint = 192.0.2.1:1\n"
        "PersistentKeepalive = 25\n"
        "[Peer]\nPublicKey = b\nPersistentKeepalive = off\n"
    )


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        (PeerChange(Kind.ADD, "a", allowed_ips=()), True),
        (PeerChange(Kind.UPDATE, "a", endpoint="192.0.2.1:1"), False),
        (PeerChange(Kind.REMOVE, "a"), False),
    ],
)
def test_a_file_cannot_remove_nor_leave_allowed_ips_as_they_are(change: PeerChange, fits: bool) -> None:
    """It would take them all away."""
    assert fits_file(change) is fits
