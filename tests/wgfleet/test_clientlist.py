"""Tests of wgfleet/clientlist.py."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wgfleet.clientlist import ClientList, ListedClient, removal_allowed
from wgfleet.fields import DocumentError

KEY = "yH2oSLVpkEo9q4qfKXqTTnFVZ6Duzm62P+GZGDyGPTo="
OTHER_KEY = "LJtEuwyodB3AMdslRzoUXyxugf/Y9tKwGMZuIiKU8xA="
CLIENT: dict[str, Any] = {
    "name": "ann-laptop",
    "public_key": KEY,
    "allowed_ips": ["10.99.1.1/32", "fd99::1:1/128", "192.168.7.0/24"],
}
DOCUMENT: dict[str, Any] = {
    "type": "wgfleet/client-list",
    "format": 1,
    "fleet": "acme",
    "epoch": 2,
    "generation": 7,
    "issued_at": 1795362620.5,
    "fresh_until": 1795366220.5,
    "clients": [CLIENT],
    "revoked": [OTHER_KEY],
    "removals_confirmed": [2, 5],
}
"""As it is on the wire. What it says is said again by CLIENT_LIST."""

CLIENT_LIST = ClientList(
    fleet="acme",
    epoch=2,
    generation=7,
    issued_at=1795362620.5,
    fresh_until=1795366220.5,
    clients=(ListedClient("ann-laptop", KEY, ("10.99.1.1/32", "fd99::1:1/128", "192.168.7.0/24")),),
    revoked=(OTHER_KEY,),
    removals_confirmed=(2, 5),
)


def read(document: object) -> ClientList:
    """The document, read by a worker of the fleet `acme`."""
    return ClientList.from_bytes(json.dumps(document).encode(), fleet="acme")


def with_client(**changed: object) -> dict[str, Any]:
    """The document with its client changed."""
    return {**DOCUMENT, "clients": [{**CLIENT, **changed}]}


def listed(number: int) -> ListedClient:
    """A client unlike the others."""
    return ListedClient(f"client-{number}", f"{number:042d}A=", (f"10.99.{number // 256}.{number % 256}/32",))


def of(*numbers: int, generation: int = 1, **said: Any) -> ClientList:
    """A list of these clients."""
    return ClientList("acme", 1, generation, 0.0, 1.0, tuple(map(listed, numbers)), **said)


# On the wire.


def test_the_document_on_the_wire_is_the_one_that_is_agreed() -> None:
    """Field for field: other programs and older workers read it."""
    assert CLIENT_LIST.to_bytes() == json.dumps(DOCUMENT, separators=(",", ":")).encode()


def test_the_document_is_read_whole() -> None:
    """What is written is what is read."""
    assert read(DOCUMENT) == CLIENT_LIST


@pytest.mark.parametrize(
    "changed",
    [{"name": "bob"}, {"public_key": OTHER_KEY}, {"allowed_ips": ["10.99.1.2/32"]}, {"allowed_ips": []}, {}],
)
def test_who_is_as_before_is_the_same_and_who_is_not_is_read(changed: dict[str, object]) -> None:
    """A list after another says the same as it would alone."""
    payload = json.dumps(with_client(**changed)).encode()

    after = ClientList.from_bytes(payload, fleet="acme", before=CLIENT_LIST)

    assert after == ClientList.from_bytes(payload, fleet="acme")
    assert (after.clients[0] is CLIENT_LIST.clients[0]) is (not changed)


@pytest.mark.parametrize("entry", ["ann-laptop", 7, None, [], {"name": []}, {"name": "ann-laptop"}])
def test_what_is_no_client_is_refused_after_another_list_too(entry: object) -> None:
    """Nothing is taken for known that was not looked at."""
    payload = json.dumps({**DOCUMENT, "clients": [entry]}).encode()

    with pytest.raises(DocumentError):
        ClientList.from_bytes(payload, fleet="acme", before=CLIENT_LIST)


KEYS = st.from_regex(r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=", fullmatch=True)
NUMBERS = st.tuples(st.integers(0, 9), st.integers(0, 9))
CLIENTS = st.builds(
    ListedClient,
    name=st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True),
    public_key=KEYS,
    allowed_ips=st.ip_addresses().map(lambda one: (f"{one}/{one.max_prefixlen}",)),
)
LISTS = st.builds(
    ClientList,
    fleet=st.just("acme"),
    epoch=st.integers(),
    generation=st.integers(),
    issued_at=st.floats(allow_nan=False, allow_infinity=False),
    fresh_until=st.floats(allow_nan=False, allow_infinity=False),
    clients=st.lists(
        CLIENTS, unique_by=(lambda one: one.name, lambda one: one.public_key, lambda one: one.allowed_ips)
    ).map(tuple),
    revoked=st.lists(KEYS).map(tuple),
    removals_confirmed=st.none() | NUMBERS,
)


@given(LISTS)
def test_every_client_list_survives_the_wire(client_list: ClientList) -> None:
    """Whatever it says."""
    assert ClientList.from_bytes(client_list.to_bytes(), fleet="acme") == client_list


def test_unknown_fields_are_ignored() -> None:
    """An old worker reads a new receiver's document."""
    assert read({**with_client(shoe_size=43), "next_key": "…"}) == CLIENT_LIST


def test_nothing_confirmed_is_null_or_left_out() -> None:
    """Most lists confirm nothing."""
    without = {key: value for key, value in DOCUMENT.items() if key != "removals_confirmed"}

    assert read(without).removals_confirmed is None
    assert read({**DOCUMENT, "removals_confirmed": None}).removals_confirmed is None


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "client list is NoneType, expected an object"),
        (
            {**DOCUMENT, "type": "wgfleet/peer-set"},
            "client list: type is 'wgfleet/peer-set', expected 'wgfleet/client-list'",
        ),
        ({**DOCUMENT, "format": 2}, "client list: format is 2, expected 1"),
        ({**DOCUMENT, "fleet": "emca"}, "client list: fleet is 'emca', expected 'acme'"),
        ({**DOCUMENT, "clients": None}, "client list: clients is None, expected list"),
        ({**DOCUMENT, "clients": ["ann"]}, "client 0 is str, expected an object"),
        ({**DOCUMENT, "revoked": None}, "client list: revoked is None, expected list"),
        (
            {**DOCUMENT, "removals_confirmed": [1]},
            "client list: removals_confirmed is [1], expected an epoch and a generation, or null",
        ),
        (
            {**DOCUMENT, "removals_confirmed": [1, True]},
            "client list: removals_confirmed is [1, True], expected an epoch and a generation, or null",
        ),
        (
            with_client(allowed_ips=["10.99.1.1/24"]),
            (
                "client ann-laptop: allowed_ips: '10.99.1.1/24' is not a network: 10.99.1.1/24 has host bits set; "
                "as 10.0.0.0/24 or ::/0"
            ),
        ),
        (with_client(public_key=7), "client ann-laptop: public_key is 7, expected str"),
    ],
)
def test_a_document_that_cannot_be_used_is_refused(document: object, message: str) -> None:
    """The refusal names the place, the value and what would be right."""
    with pytest.raises(DocumentError, match=f"^{re.escape(message)}$"):
        read(document)


@pytest.mark.parametrize(("field", "said"), [("name", "ann-laptop"), ("public_key", KEY)])
def test_twins_are_refused(field: str, said: str) -> None:
    """Two clients with one name or one key would be one peer with two wills."""
    twin = {"name": "bob", "public_key": OTHER_KEY, "allowed_ips": [], field: CLIENT[field]}

    with pytest.raises(
        DocumentError, match=rf"^two clients of the client list have the same {field}: {re.escape(said)}$"
    ):
        read({**DOCUMENT, "clients": [CLIENT, twin]})


def test_a_prefix_belongs_to_one_client() -> None:
    """The last one set would get the other's packets."""
    thief = {"name": "bob", "public_key": OTHER_KEY, "allowed_ips": ["fd99::1:1"]}

    with pytest.raises(
        DocumentError, match=r"^two clients of the client list have the same allowed_ips: fd99::1:1/128$"
    ):
        read({**DOCUMENT, "clients": [CLIENT, thief]})


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_refused(payload: bytes) -> None:
    """Cut off, no text at all, or nested to no end."""
    with pytest.raises(DocumentError, match=r"^the client list is not JSON: "):
        ClientList.from_bytes(payload, fleet="acme")


@given(
    field=st.sampled_from([*sorted(DOCUMENT), *sorted(CLIENT)]),
    value=st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers() | st.text()),
)
def test_nothing_but_document_error_comes_of_a_wrong_value(field: str, value: object) -> None:
    """Any value in the place of any field."""
    document = with_client(**{field: value}) if field in CLIENT else {**DOCUMENT, field: value}
    try:
        read(document)
    except DocumentError as refused:
        str(refused).encode()  # Which can be logged.


# Removals.


@pytest.mark.parametrize(
    ("held", "removed", "allowed"),
    [
        (5, 5, True),
        (6, 6, False),
        (20, 6, False),
        (50, 5, True),
        (60, 6, True),
        (59, 6, False),
        (600, 61, False),
    ],
)
def test_more_than_five_and_more_than_a_tenth_is_too_many(held: int, removed: int, allowed: bool) -> None:
    """Both at once, or it is an everyday change."""
    refusal = removal_allowed(of(*range(held)), of(*range(removed, held), generation=2))

    assert (refusal is None) is allowed


def test_an_empty_database_empties_no_worker() -> None:
    """The refusal says what is at stake, and what to do."""
    refusal = removal_allowed(of(*range(2000)), of(generation=2))

    assert str(refusal) == (
        "the client list would remove 2000 of 2000 clients at once, and nobody revoked client-0, client-1, client-2 "
        "and 1997 more: if they shall go, `wgfleet client confirm-removals`; if not, restore the receiver's backup"
    )


def test_a_revocation_for_each_explains_them() -> None:
    """One that is missing does not."""
    held, keys = of(*range(10)), [listed(number).public_key for number in range(10)]

    assert removal_allowed(held, of(generation=2, revoked=tuple(keys))) is None
    refusal = removal_allowed(held, of(generation=2, revoked=tuple(keys[1:])))
    assert refusal is not None
    assert (len(refusal.removed), refusal.unexplained) == (10, ("client-0",))


@pytest.mark.parametrize(
    ("confirmed", "allowed"),
    [((1, 4), False), ((1, 5), False), ((1, 6), True), ((2, 0), True), ((0, 9), False)],
)
def test_a_confirmation_counts_if_it_is_newer_than_what_is_held(
    confirmed: tuple[int, int], allowed: bool
) -> None:
    """The worker held list 1.5: it has seen any earlier confirmation, and what that one was about."""
    refusal = removal_allowed(of(*range(10), generation=5), of(generation=9, removals_confirmed=confirmed))

    assert (refusal is None) is allowed


def test_a_client_that_was_renamed_is_not_removed() -> None:
    """Its key is still there, and with it the peer."""
    held = of(*range(10))
    renamed = replace(held, clients=tuple(replace(one, name=f"{one.name}-b") for one in held.clients))

    assert removal_allowed(held, renamed) is None


MEMBERS = st.frozensets(st.integers(0, 40))


@given(held=MEMBERS, kept=MEMBERS, revoked=MEMBERS, confirmed=st.none() | NUMBERS, number=NUMBERS)
def test_many_unexplained_removals_are_always_refused(
    held: frozenset[int],
    kept: frozenset[int],
    revoked: frozenset[int],
    confirmed: tuple[int, int] | None,
    number: tuple[int, int],
) -> None:
    """And nothing else is: said once more in other words, for any two lists."""
    before = replace(of(*sorted(held)), epoch=number[0], generation=number[1])
    keys = tuple(listed(one).public_key for one in sorted(revoked))
    after = of(*sorted(kept), revoked=keys, removals_confirmed=confirmed)
    gone = held - kept
    many = len(gone) > 5 and len(gone) / len(held) > 0.1
    explained = gone <= revoked or (confirmed is not None and confirmed > number)

    assert (removal_allowed(before, after) is not None) is (many and not explained)
